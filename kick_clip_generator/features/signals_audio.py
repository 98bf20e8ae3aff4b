"""The signals of the sound: names, units, ranges, meanings, sources and prices."""

from __future__ import annotations

from kick_clip_generator.features.feature import Feature, Tier

_FRAME_S = 0.064
_NO_ENERGY = "unknown where the sound is digital silence"


def _audio(
    name: str,
    unit: str,
    low: float,
    high: float,
    meaning: str,
    source: str,
    *,
    context_s: float = _FRAME_S,
    tier: Tier = "core",
    price_s_per_h: float = 0.0,
) -> Feature:
    return Feature(name, unit, low, high, meaning, source, "audio", context_s, tier, price_s_per_h)


AUDIO_FEATURES: tuple[Feature, ...] = (
    _audio(
        "rms",
        "",
        0,
        1,
        "Loudness: root mean square of the samples, full scale 1",
        "librosa.feature.rms",
        price_s_per_h=4.9,  # with all that follows but the rhythm
    ),
    _audio("rms_db", "dBFS", -100, 0, "RMS in decibels; -100 is the floor, and silence", "librosa.amplitude_to_db"),
    _audio(
        "spectral_centroid",
        "Hz",
        0,
        8000,
        f"Center of mass of the spectrum: how bright it sounds; {_NO_ENERGY}",
        "librosa.feature.spectral_centroid",
    ),
    _audio(
        "spectral_bandwidth",
        "Hz",
        0,
        4000,
        f"Spread of the spectrum around its centroid; {_NO_ENERGY}",
        "librosa.feature.spectral_bandwidth, p=2",
    ),
    _audio(
        "spectral_rolloff",
        "Hz",
        0,
        8000,
        f"Frequency under which 85 % of the magnitude lies; {_NO_ENERGY}",
        "librosa.feature.spectral_rolloff",
    ),
    _audio(
        "spectral_flatness",
        "",
        0,
        1,
        f"0 for a tone, 1 for white noise; {_NO_ENERGY}",
        "librosa.feature.spectral_flatness",
    ),
    _audio("zcr", "", 0, 1, "Share of samples where the wave changes its sign", "librosa.feature.zero_crossing_rate"),
    _audio(
        "onset_strength",
        "dB",
        0,
        10,
        "Mean rise of the mel spectrum from one frame to the next: attacks, claps, syllables",
        "librosa.onset.onset_strength",
        context_s=0.08,
    ),
    _audio(
        "tempo",
        "BPM",
        60,
        200,
        "Strongest periodicity of the onsets of the last 5 s; unknown where there are none and for 5 s after a gap",
        "librosa.feature.tempo, lag interpolated",
        context_s=5.0,
        price_s_per_h=0.3,
    ),
    _audio(
        "beat_strength",
        "",
        0,
        1,
        "How periodic those onsets are: near 1 for a click track, about 0.2 for noise",
        "normalized autocorrelation of the onset envelope",
        context_s=5.0,
    ),
    *(
        _audio(
            f"mfcc_{n}",
            "dB",
            -500 if n == 1 else -200,
            500 if n == 1 else 200,
            "Overall level of the mel spectrum"
            if n == 1
            else f"Timbre: shape of the mel spectrum, cosine term {n - 1}",
            "librosa.feature.mfcc, 64 mel bands, floor -60 dB",
        )
        for n in range(1, 14)
    ),
    _audio("high_freq_ratio", "", 0, 1, f"Share of the energy at 2 kHz and above; {_NO_ENERGY}", "power spectrum"),
    _audio(
        "voice_band_ratio",
        "",
        0,
        1,
        f"Share of the energy in 300-3400 Hz: near 1 for voices, cheers and shouts; {_NO_ENERGY}",
        "power spectrum",
    ),
    _audio("presence_db", "dBFS", -100, 0, "Level of 1-4 kHz, where cheers and shouts carry", "power spectrum"),
    _audio(
        "spectral_contrast",
        "dB",
        0,
        80,
        "Peaks of the spectrum over its valleys, octave by octave: high for tones and voices, low for "
        f"noise and dense crowds; {_NO_ENERGY}",
        "librosa.feature.spectral_contrast of the power, mean over the bands, one bin for each peak and valley",
        price_s_per_h=0.2,
    ),
    _audio(
        "burst_rate",
        "bursts/s",
        0,
        10,
        "Short bursts of energy a second over the last 2 s: syllables, claps, the notes of a laugh; low where a crowd "
        "fills the gaps; unknown for 2 s after a gap",
        "Provine and Yong 1991; local maxima 4 dB over the valleys beside them",
        context_s=2.0,
        price_s_per_h=0.2,
    ),
    _audio(
        "modulation_4hz",
        "x mean",
        0,
        2,
        "How deep the level swings three to eight times a second over the last 2 s; unknown for 2 s after a gap and in "
        "digital silence",
        "4 Hz modulation, Scheirer and Slaney 1997",
        context_s=2.0,
    ),
    _audio(
        "surge_db",
        "dB",
        -60,
        60,
        "Level over the loudest of the 3 s before: above 0 where sound breaks into quiet; unknown for 3 s after a gap",
        "rms_db, floor -60 dBFS",
        context_s=3.1,
        price_s_per_h=0.4,
    ),
    _audio(
        "level_db",
        "dBFS",
        -100,
        0,
        "Root mean square of exactly this half second, where rms_db is the mean over overlapping frames",
        "ffmpeg astats, RMS level",
        context_s=0.0,
    ),
    _audio(
        "lufs_momentary",
        "LUFS",
        -100,
        0,
        "Loudness as people hear it: the loudest 0.4 s that end in the tick; unknown right after a gap",
        "EBU R128 momentary, ITU-R BS.1770-5 weights on the spectrum",
        context_s=0.5,
    ),
    _audio(
        "lufs_short",
        "LUFS",
        -100,
        0,
        "The same over the last 3 s; unknown for 3 s after a gap",
        "EBU R128 short-term, ITU-R BS.1770-5 weights on the spectrum",
        context_s=3.0,
    ),
    _audio(
        "pitch",
        "Hz",
        65,
        600,
        "Fundamental frequency of the voice, or of what else is periodic: median over the tick; unknown without voice",
        "Boersma 1993 (Praat), no search over time",
        price_s_per_h=0.5,
    ),
    _audio("voiced_ratio", "", 0, 1, "Share of the tick that has a pitch", "Boersma 1993 (Praat)"),
    _audio(
        "voiced_db",
        "dBFS",
        -100,
        0,
        "Speaking energy: level of what has a pitch; unknown without voice",
        "mean square of the voiced frames",
    ),
    _audio(
        "pitch_std",
        "semitones",
        0,
        6,
        "How far the pitch ranges over the last 2 s: flat or lively; unknown with less than 0.25 s of voice",
        "deviation from the median in semitones, as in eGeMAPS (Eyben et al. 2016), at most 6",
        context_s=1.6,
    ),
    _audio(
        "pitch_jitter",
        "",
        0,
        1,
        "Mean relative step of the pitch every 31 ms over the last 2 s: trembling, shouting; unknown with less than "
        "0.25 s of voice",
        "like Praat's jitter (local), over frames in place of periods",
        context_s=1.6,
    ),
    _audio(
        "voice_activity",
        "",
        0,
        1,
        "Probability that somebody speaks; unknown for up to 5 s after a gap",
        "Silero VAD v6, as shipped in faster-whisper",
        context_s=5.0,
        tier="extended",
        price_s_per_h=18.0,
    ),
    _audio(
        "tracked_pitch",
        "Hz",
        65,
        600,
        "Fundamental frequency by a tracker that follows a voice through time; unknown without voice",
        "DIO of pyworld, speed 4",
        context_s=0.5,
        tier="extended",
        price_s_per_h=15.0,
    ),
    *(
        _audio(
            f"formant_{n}",
            "Hz",
            low,
            high,
            f"Resonance {n} of the mouth: {shape}; unknown without voice",
            "selective linear prediction, Makhoul 1975, order 10 below 5.5 kHz as Praat",
            tier="extended",
            price_s_per_h=price,
        )
        for n, low, high, shape, price in (
            (1, 200, 1200, "how open it is", 3.0),
            (2, 600, 3000, "how far in front the tongue lies", 0.0),
            (3, 1500, 4000, "how round the lips are", 0.0),
        )
    ),
)
