"""Your settings. Change a value and save; `python main.py config --write` renews the sheet and keeps your changes.

An environment variable of the same name, or a line in `.env`, is stronger than a value here.
"""

# Reading the stream
# ------------------

# Length of an analysis window, in seconds. 5 to 600.
CHUNK_DURATION = 30

# Overlap of two windows, in seconds; it is the lead-in that decoder and features need. 5 to 60.
CHUNK_OVERLAP = 5

# Analyse at most this much of a stream, in seconds. 1 to 360000.
MAX_STREAM_DURATION = 36000

# Look at one of this many frames of a 60 fps clock: 15 is 4 a second. 1, 2, 3, 5, 6, 10, 15 or 30. 1 to 30.
FRAME_SKIP = 15

# Stretches of a local file analysed at the same time. 1 to 64.
MAX_WORKERS = 2

# Pieces of the stream fetched ahead of the decoder. 2 to 4.
PREFETCH_SEGMENTS = 3

# The analysis reads the cheapest quality of at least this height, in pixels. 100 to 4320.
ANALYSIS_HEIGHT = 160

# full decodes every frame; auto those that others refer to, and from 720p60 and 1080p up only a keyframe and a tenth of a second behind it, where they are at most 3 s apart; keyframes does so for any size. One of auto, full, keyframes.
ANALYSIS_EFFORT = "auto"

# Decodes pictures from 720p up: auto tries what this machine has once and takes what beats software; none is software. One of auto, cuda, qsv, vaapi, videotoolbox, none.
HWACCEL = "auto"

# Also measure the expensive signals (speech, formants, faces, motion vectors): core does not, candidates does around the best moments, all everywhere. One of core, candidates, all.
SIGNALS = "core"

# Clips are cut from this quality: best, or a height such as 720p (the next lower one counts).
QUALITY = "best"

# Where to begin in a running stream: now, or at the start of what the platform still keeps. One of now, start.
LIVE_FROM = "now"

# Seconds without new media after which a running stream is looked up again. 5 to 3600.
LIVE_STALL = 30

# Network
# -------

# How often a failed request is tried again. 0 to 20.
MAX_RETRIES = 5

# Each wait before a retry is this many times the one before. 1 to 10.
BACKOFF_FACTOR = 2

# Seconds a connection may take to be made. 0.1 to 300.
CONNECT_TIMEOUT = 10

# Seconds a request may wait for the next byte. 0.1 to 300.
REQUEST_TIMEOUT = 15

# Seconds each tool may take to find out what a platform's link leads to. 1 to 600.
RESOLVE_TIMEOUT = 60

# A cookies.txt (Netscape format) of a browser that is logged in, for members-only streams.
COOKIES_FILE = None

# Take the cookies from this browser instead: firefox, chrome, edge, brave, opera or safari.
COOKIES_FROM_BROWSER = ""

# User agents to rotate through when a server refuses; in the environment separated by |.
USER_AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
]

# Host names or addresses on the local network that may be read, separated by commas. Empty: none.
ALLOWED_PRIVATE_HOSTS = []

# Highlights
# ----------

# What a highlight is: v2 a moment that stands out, with ends chosen around it; v1 a scene. One of v2, v1.
HIGHLIGHT_MODE = "v2"

# Another name of HIGHLIGHT_MODE, stronger when set: v2 or v1.
SEGMENTATION_MODE = None

# Change of the picture from which v1 begins a new scene, as in ffmpeg's scene. 0 to 1.
SCENE_THRESHOLD = 0.3

# Fixed length of clips in seconds; empty or auto: ends are chosen. 1 to 600.
CLIP_DURATION = None

# Shortest clip when ends are chosen, in seconds. 1 to 600.
MIN_CLIP_SECONDS = 5

# Longest clip when ends are chosen, in seconds. 1 to 600.
MAX_CLIP_SECONDS = 60

# Least distance between the peaks of two highlights of a kind, in seconds. 0 to 3600.
MIN_GAP = 10

# Clips per kind unless a flag says otherwise. 1 to 25.
TOP_N_HIGHLIGHTS = 10

# Audio highlights below this score are not shown. 0 to 1.
MIN_AUDIO_SCORE = 0.05

# Video highlights below this score are not shown. 0 to 1.
MIN_VIDEO_SCORE = 0.05

# Speech highlights below this score are not shown. 0 to 1.
MIN_SPEECH_SCORE = 0.05

# Chat highlights below this score are not shown. 0 to 1.
MIN_CHAT_SCORE = 0.05

# So many seconds after a moment the chat answers it. 0 to 120.
CHAT_LAG = 6

# When no moment reaches its minimum score, give the best one.
KEEP_BEST = True

# Share of the heuristic score once a model is trained. 0 to 1.
HEURISTIC_WEIGHT = 0.6

# Share of the learned score once a model is trained, 0 to 1, beside HEURISTIC_WEIGHT; auto: as far as the ratings speak.
ML_WEIGHT = "auto"

# Learning
# --------

# What learns from ratings: auto what measured best, a Gaussian process that begins at the heuristic (taste); ridge regression; gradient boosting. One of auto, taste, ridge, boosting.
LEARNER = "auto"

# Trees of the boosting models. 1 to 5000.
N_ESTIMATORS = 100

# Learning rate of the boosting models. More than 0 to 1.
LEARNING_RATE = 0.1

# Retrain after this many new ratings. 1 to 1000.
RETRAIN_EVERY = 5

# No model below this many ratings. 2 to 100000.
MIN_TRAINING_SAMPLES = 10

# Clips to rate: share of those that you will like most. 0 to 1.
ASK_BEST = 0.3

# Clips to rate: share of those that you may like most. 0 to 1.
ASK_PROMISING = 0.6

# Clips to rate: share of those that are known least. 0 to 1.
ASK_UNSURE = 0

# Clips to rate: share of those whose heuristic score is too low to be shown. 0 to 1.
ASK_HIDDEN = 0.1

# Clips
# -----

# How clips are cut: copy (fast, starts at a keyframe), smart (to the frame, re-encoded up to the first keyframe only) or exact (re-encoded). One of copy, smart, exact.
CUT = "smart"

# Clips that you dropped are deleted after so many days; 0: never. 0 to 3650.
DROP_DAYS = 30

# Most that clips, compounds and kept downloads may take, in GB: beyond it the oldest clips that are neither rated nor kept are deleted; 0: no limit. 0 to 1000000.
QUOTA_GB = 0

# Clips that are neither rated nor kept are deleted after so many days; 0: never. 0 to 3650.
RETENTION_DAYS = 0

# Exports
# -------

# Names of exported files: text with any of {channel}, {date}, {rank}, {title}, {source}, {kind}, {score}, {stars}, {start}, {end}, {duration} and {id}.
EXPORT_NAME = "{channel}_{date}_{rank:02d}_{title}"

# Where exported clips go unless you say otherwise.
EXPORT_DIR = "exports"

# Folders and programs
# --------------------

# Where clips go.
OUTPUT_DIR = "output_clips"

# Another name of OUTPUT_DIR, stronger when set.
PROCESSED_CLIPS_DIR = None

# Where trained models are kept.
MODEL_DIR = "models"

# Media of the window being read; emptied as the run goes.
TEMP_DIR = "temp_chunks"

# Measured features of streams, so that a second look reads no media.
FEATURE_DIR = "feature_cache"

# Where sources that you choose to keep are stored.
DOWNLOAD_DIR = "downloads"

# Rotating log files.
LOG_DIR = "logs"

# The SQLite library of sources, clips and ratings.
DATABASE_PATH = "clips.db"

# A PostgreSQL to use instead of DATABASE_PATH, shared by several machines: postgresql+psycopg://user:password@host/name.
DATABASE_URL = ""

# Where backups of the library go; empty: the folder backups beside it.
BACKUP_DIR = None

# How many of its own backups the program keeps. 1 to 1000.
BACKUPS_KEPT = 5

# An ffmpeg to use instead of the bundled one.
FFMPEG_PATH = None

# Workers
# -------

# Processes that work on jobs: beside the server, or of python main.py worker; one more is for live streams. 0: none here. 0 to 64.
WORKERS = 2

# A Redis that wakes the workers, redis://host:6379/0; empty: the database does.
QUEUE_URL = ""

# Which quality of a source is kept when you download it: best, or a height such as 720p.
DOWNLOAD_QUALITY = "best"

# Programs
# --------

# Address the server listens on; any but those of this computer needs a password.
HOST = "127.0.0.1"

# Port of the server; empty: 7860 with --gui, 8000 with serve. 1 to 65535.
PORT = None

# Other names under which the server is reached, such as a proxy's, separated by commas.
ALLOWED_HOSTS = []

# Whether serve shows the web page, too, beside the REST API.
SERVE_FRONTEND = False

# Answers of the server to what went wrong unexpectedly show the traceback.
DEBUG = False

# Password of the server, for containers; elsewhere python main.py password keeps a hash of it.
SERVER_PASSWORD = ""

# Signs messages and names sessions; empty: made once and kept in the library.
SECRET_KEY = ""

# Another name of SECRET_KEY, weaker when both are set.
FLASK_SECRET_KEY = ""

# Largest file that may be uploaded, in GB. More than 0 to 1000.
UPLOAD_LIMIT = 20

# Whether pages opened on other computers may name files of this one as a stream.
REMOTE_LOCAL_PATHS = False

# How much goes to the log files. One of DEBUG, INFO, WARNING, ERROR.
LOG_LEVEL = "INFO"
