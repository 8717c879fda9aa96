"""Word classes: closed lists of English words by what they do in an expression."""

from __future__ import annotations

from ssc.expression import HIGH, LOW, MIDDLE, Size


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


SIDES: dict[str, tuple[str, int]] = {
    word: told
    for told, said in {
        ("x", LOW): """left leftmost lefty lefthand leftest leftmore""",
        ("x", HIGH): """right rightmost righty righthand rightest""",
        ("y", LOW): """top topmost upper uppermost highest higher upmost""",
        ("y", HIGH): """bottom bottommost lower lowest lowermost""",
        (
            "depth",
            LOW,
        ): """back rear background backmost farthest furthest farther further distance distant
        far behind""",
        (
            "depth",
            HIGH,
        ): """front foreground foremost frontmost closest nearest closer nearer close near forefront
        nearby forward""",
        ("x", MIDDLE): """middle center centre central centered mid""",
    }.items()
    for word in said.split()
}
"""Word for a side → axis and end, as of `ssc.expression.Place`."""
SIZES: dict[str, tuple[str, int]] = {
    word: told
    for told, said in {
        (
            "area",
            HIGH,
        ): """big bigger biggest large larger largest huge giant enormous massive main""",
        (
            "area",
            LOW,
        ): """small smaller smallest little littlest tiny tiniest mini miniature baby babies""",
        ("height", HIGH): """tall taller tallest highest""",
        ("height", LOW): """short shorter shortest""",
        ("width", HIGH): """wide wider widest longest longer""",
        ("width", LOW): """thin thinner thinnest narrow""",
    }.items()
    for word in said.split()
}
"""Word for a size → measure and end, as of `ssc.expression.Size`."""
SMALL_ONE = Size("height", LOW, posture=True)
POSTURES = {
    word: said
    for said, several in {
        Size("height", HIGH, posture=True): "standing stand stands upright",
        SMALL_ONE: """sitting seated sits laying lying lays kneeling kneels squatting crouching
        crouched bending baby infant calf cub foal puppy kitten kid child toddler catcher""",
        Size("area", HIGH, posture=True): """adult grown mom mother mama momma mommy dad father
        papa daddy parent batter batsman hitter pitcher umpire ump driver swinging""",
    }.items()
    for word in several.split()
}
"""Word for a posture, an age or a part in a game → what it says of size: who acts is large."""
ORDINALS = {
    word: rank
    for rank, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
        ],
        1,
    )
}
CARDINALS = {
    word: rank
    for rank, word in enumerate(
        [
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        1,
    )
}
CLOCK = words("""am clock o oclock o'clock pm""")
"""After a number these make it a place on the face of a clock ("slice at 9 o'clock")."""
NOT = words("""but cannot except excluding isn't isnt n't nt neither never no non not without""")
"""Words that negate what follows."""
FILLERS = words(
    """a all an are at bit closest extreme far from furthest hand in is it's just more most of on
    one ones over picture side that the to toward towards us very way which"""
)
"""Words that may stand between a negation, an ordinal or a side and its word."""
PICTURE = words(
    """all both bunch center crowd flock four frame group herd image line middle others pack page
    pair photo photograph pic picture pictures pile row rows scene screen set shot stack them three
    trio two view"""
)
"""What is no object of its own: "left side of the picture", "left of the two"."""
VIEWER = words("""camera cameraman front lens me photographer screen us viewer viewers you""")
"""Who looks at the picture: "closest to us"."""
SIDE_NOUNS = words("""area corner edge end half hand most part portion section side sides""")
"""Nouns of a part of the picture ("left side")."""
ROWS = words("""column columns level line rack row rows shelf tier""")
"""Nouns of a row or column."""
PARTS = words(
    """arm arms body door ear ears eye eyes facing feet foot half hand hands horn horns knee knees
    leg legs light lights lip paw paws pocket seat seats shoulder shoulders teeth tire tires
    tooth view wheel wheels window windows wing wings yard"""
)
"""Parts of things that have a side of their own ("left hand")."""
MOVING = words(
    """bending faces facing going headed heading leading leaning leans looking looks moving
    pointing points reaching running stares staring tilted turned turning walking"""
)
"""Verbs of direction ("facing left")."""
AFTER_ADVERB = words(
    """above at behind below beside between by here in near next over there under"""
)
"""Before these "right" is an adverb ("right next to")."""
TOPS = words(
    """bikini black blue brown crop dark gray green grey halter light orange pink plaid purple red
    sleeveless striped tank wearing white yellow"""
)
"""Before these "top" is what is worn."""
CUT = words("""barely half hardly only partial partially partly""")
"""Words for a thing that is partly outside of the picture, before one of `SEEN`."""
SEEN = words("""hidden picture see seen showing shown view visible""")
"""Words for what shows."""
PERSONAL = words(
    """anybody anyone everybody everyone he her herself him himself myself person she somebody
    someone them they who whoever"""
)
"""Pronouns that stand for a person where nothing else is named."""
HUMAN = words("""answering bald dressed holding laughing shirtless smiling talking wearing""")
"""What only people do or are."""
YOUNG = words("""baby boy child children girl infant kid kids toddler""")
"""Children."""
HOLDERS = words("""baby boy cat child dog girl guy kid lady man person player woman""")
"""Who holds or sits on what is named right before ("sandwich guy is holding")."""
ONE = words("""anything item items object objects one ones something thing things""")
"""Words for a thing of any class ("red one left of the car")."""
POSES = words("""drinks eats flies jumps looks plays rests runs sits stands walks""")
"""Verbs that the tagger takes for nouns after the name of who does so ("giraffe stands")."""
VAGUEST = words("""lmao shape space stuff whatever wow wtf""")
"""Nouns that name nothing."""
ANIMALS = words("""bear bird cat cow dog elephant giraffe horse sheep zebra""")
"""Classes of animals."""
CLAUSE_ENDS = words(""", . ; and but in on""")
"""Words that end what is denied."""
FOREIGN = words(
    """auf aus das dem den der derecha des destra donna droite ein eine einen el femme frau
    gauche het hombre homme im izquierda la las le les links los mann mit mujer rechts sinistra un
    una und une uomo von"""
)
"""Common words of other languages that English lists may hold."""
HAVING = words("""carrying has have having hold holding holds wearing with""")
"""Before these nouns are what the key noun has."""
DONE = words(
    """being blocked carried covered driven eaten fed followed held hidden led obscured petted
    pulled pushed ridden surrounded touched used walked worn"""
)
"""Before "by" these make what follows the doer, not a neighbour."""
DETERMINERS = words(
    """a an another both each four her his its my of one ones other others our some that the their
    this three to two your"""
)
"""Words before a noun that tell nothing of it."""
VAGUE = words("""all another both it one ones other others them three two""")
"""Words that stand for other candidates ("behind the other one")."""
PLACELIKE = words("""above before behind by closest far near nearest next over under""")
"""Prepositions that are places too ("the near one")."""
SMALL = words(
    """! ' 's ( ) , . : ; ? a an and are as at be being by each every everything for from has have
    he her his i in is it its of on one ones or she t that the their there they this to was we which
    who with you"""
)
"""Words that carry no meaning of their own."""
LOOKS = words("""brick closed empty full metal old open plain white wooden young""")
"""Adjectives that may stand before another object."""
JOINING = words(
    """, . ; a an and are at far from in is most of on or that the to very
    which who"""
)
"""Words that join a place or a relation to the key noun, and say nothing without it."""
VERBS = words(
    """above behind beside between eating facing holding laying looking lying next playing riding
    sitting standing under walking wearing with without"""
)
"""Verbs and prepositions that typing errors are read against."""
COMMON = words(
    """and animal background biggest center chocolate closest computer corner couch doughnut dress
    farthest fifth flowers foreground fourth furthest glasses helmet jacket middle monitor
    nearest one pants partially pastry person picture piece player sandwich second shirt shorts
    slice smallest sofa sprinkles striped tallest the third tractor uniform vehicle visible
    white with"""
)
"""Further words that typing errors are read against."""
JOINED = words(
    """airplane background backpack baseball basketball firetruck football foreground handbag
    keyboard laptop leftmost microwave motorbike motorcycle rightmost skateboard skateboarder
    snowboard snowboarder
    suitcase surfboard toothbrush"""
)
"""Words that people part ("skate board")."""
BACK_PARTS = words("""of to turned facing pack end is pocket towards view""")
"""After "back" these make it a part or an adverb ("back of", "back to us")."""
BACK_BODY = words(
    """his her their its with turned showing our going leaning laying looking whose only from pulled
    held"""
)
"""Before "back" these make it a body's ("his back")."""
