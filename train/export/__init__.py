"""Masks and their expressions in the forms of other tools: COCO, REFER, gRefCOCO, YOLO, labelme."""
