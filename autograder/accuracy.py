"""How many held-back images does a handed-in network get right?

The network is built here, from the handed-in weights, and driven through the
student's own forward functions, layer by layer: each is asked over the wire in
the process that holds the carried modules and nothing else. So the weights are
those that were handed in, and what runs is what is said to run. Labels never
leave this side, and of the images each batch goes only into the first layer.

`shapes` are drawn anew from the seed of the grading run. CIFAR-10's test images
are public: a network can have been trained on them, and nothing here can tell.
What is done about it: a faint noise is added, so that a table of known images is
of no use, and an accuracy beyond what such networks reach is noted for the
instructor. Weights are read without pickle, every size checked before memory is
taken for it.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder import verdict as status
from autograder import wire
from autograder.carried import NOT_CARRIED, Carried, ChoiceError
from autograder.session import Session
from convlab import layers
from convlab.architecture import ArchitectureError, trace_architecture
from convlab.carry import REFERENCE
from convlab.data import DataError, cifar10, shapes
from convlab.network import Network
from convlab.stages import LayerError
from convlab.storage import StorageError, read_note

WEIGHTS = "weights.npz"
NAMES = {"cifar10": "CIFAR-10", "shapes": "shapes"}
IMAGE = (32, 32, 3)
CLASSES = 10
IMAGES = 2000
GRACE = 0.01  # about one standard error: so many images measure no finer
BATCH = 50  # images sent at once, fewer where a layer's output is large
SECONDS = 60.0  # the longest that one layer may take for a batch
BEYOND = 0.92  # of CIFAR-10: no network of the layers below comes near
FORWARD = ("conv2d_forward", "maxpool_forward", "avgpool_forward", "relu_forward",
           "dense_forward")
# Bounds that no network of this course comes near.
MOST_BYTES = 20_000_000
MOST_DIRECTORY = 100_000  # bytes of a zip file's list of members
MOST_PARAMETERS = 4_000_000
MOST_OUTPUTS = 1_000_000  # numbers that a layer makes of one image
MOST_LETTERS = 2_000  # of an architecture


class NotMeasured(Exception):
    """There is no accuracy. `status` as in a verdict; the message says why."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Accuracy:
    """How many held-back images were right."""

    data: str
    right: int
    images: int

    @property
    def part(self) -> float:
        return self.right / self.images

    def reaches(self, step: float) -> bool:
        return self.part >= step - GRACE

    @property
    def words(self) -> str:
        return (f"{self.right:,} of {self.images:,} held-back images of "
                f"{NAMES[self.data]} are right: {self.part:.1%}.")

    @property
    def beyond(self) -> bool:
        return self.data == "cifar10" and self.part >= BEYOND


def measure(carried: Carried, folder: Path | None, rng: np.random.Generator
            ) -> Accuracy:
    """Classify held-back images with handed-in weights and carried functions.

    Raises NotMeasured where there is no accuracy to be had, KernelLost and
    session.Exhausted as Session.call does.
    """
    functions = _functions(carried)
    network, data = read_network(folder, functions)
    images, labels = held_back(data, rng)
    right = 0
    size = _batch_size(network)
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        scores = _scores(network, images[part])
        right += int((scores.argmax(axis=1) == labels[part]).sum())
    return Accuracy(data, right, len(images))


# --- held-back images


def held_back(data: str, rng: np.random.Generator, count: int = IMAGES
              ) -> tuple[np.ndarray, np.ndarray]:
    """(count, 32, 32, 3) uint8 images that no student has, and their labels."""
    if data == "shapes":
        return shapes.draw(count, tuple(rng.integers(2**32, size=4).tolist()))
    try:
        folder = cifar10.data_folder() / cifar10.UNPACKED
        images, labels = cifar10.read([folder / name for name in cifar10.TEST_FILES],
                                      cifar10.OFFICIAL.records)
    except DataError as error:
        raise NotMeasured(
            status.FAULT, "The grader has no CIFAR-10, so this is not judged yet. "
            "Instructor: set CONVLAB_DATA to the folder that holds "
            f"{cifar10.UNPACKED}, and grade again.") from error
    chosen = rng.choice(len(labels), count, replace=False)
    noise = rng.integers(-1, 2, (count, *IMAGE))
    return (np.clip(images[chosen] + noise, 0, 255).astype(np.uint8), labels[chosen])


# --- handed-in weights


def read_network(folder: Path | None, functions: dict[str, Callable]
                 ) -> tuple[Network, str]:
    """A network with the handed-in weights, and the data set it was trained on."""
    path = (folder or Path()) / WEIGHTS
    if folder is None or not path.is_file() or path.is_symlink():
        raise NotMeasured(
            status.MISSING, f"{WEIGHTS} was not handed in. Your notebook writes it "
            "beside itself when the training is done: hand in both.")
    try:
        _check_file(path)
        architecture, data = _of_note(read_note(path))
        _check_sizes(architecture)
        network = Network(architecture, IMAGE, CLASSES, functions)
        network.load_weights(path)
        if not (network.std > 0).all():
            raise StorageError("input.std holds numbers that are not above 0")
    except (StorageError, ArchitectureError, LayerError, OSError) as error:
        said = str(error).replace(str(path), WEIGHTS).removeprefix(f"{WEIGHTS}: ")
        raise NotMeasured(status.WRONG, f"{WEIGHTS} cannot be used: {said}.") from error
    return network, data


def _check_file(path: Path) -> None:
    """Refuse what would take much memory merely to be listed."""
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
        raise StorageError(f"the file has {about.st_size:,} bytes, and at most "
                           f"{MOST_BYTES:,} are read")
    with open(path, "rb") as file:
        file.seek(max(0, about.st_size - (1 << 16)))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")  # the record at the end of a zip file
    if at < 0 or len(end) < at + 22:
        raise StorageError("it is not a file that save_weights wrote")
    (size,) = struct.unpack_from("<I", end, at + 12)
    if size > MOST_DIRECTORY:
        raise StorageError("it holds far more arrays than a network has")


def _of_note(note: dict[str, Any]) -> tuple[str, str]:
    """The architecture and the data set that a file says it is of."""
    architecture, data = note.get("architecture"), note.get("data")
    if not isinstance(architecture, str) or len(architecture) > MOST_LETTERS:
        raise StorageError("it does not say of what architecture it is")
    if not isinstance(data, str) or data not in NAMES:
        raise StorageError('it does not say on what it was trained: save it with '
                           'network.save_weights("weights.npz", data=DATASET)')
    if note.get("input_shape") != list(IMAGE) or note.get("classes") != CLASSES:
        raise StorageError(f"its network is not one of {IMAGE} images and {CLASSES} "
                           "classes")
    return architecture, data


def _check_sizes(architecture: str) -> None:
    rows = trace_architecture(architecture, IMAGE, CLASSES)
    parameters = sum(row.parameters for row in rows)
    outputs = max(int(np.prod(row.output_shape, dtype=object)) for row in rows)
    for what, count, most in (("parameters", parameters, MOST_PARAMETERS),
                              ("numbers in a layer", outputs, MOST_OUTPUTS)):
        if count > most:
            raise StorageError(f"its architecture has {count:,} {what}, and at most "
                               f"{most:,} are scored")


# --- the way through the layers


def _functions(carried: Carried) -> dict[str, Callable]:
    """The forward functions: the student's own over the wire, or the reference."""
    found = {}
    for name in FORWARD:
        try:
            mine = carried.choice(name) != REFERENCE
        except ChoiceError as error:
            found[name] = _refusal(str(error))
            continue
        found[name] = (_remote(carried.session, name) if mine
                       else getattr(layers, name))
    return found


def _refusal(why: str) -> Callable:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotMeasured(status.MISSING, why)
    return refuse


def _remote(session: Session, name: str) -> Callable:
    """A function that is called in the student's process."""
    def call(*args: Any, **kwargs: Any) -> Any:
        reply = session.call(name, args, kwargs, SECONDS)
        if reply.kind == "missing":
            raise NotMeasured(status.MISSING, f"There is no function {name}.")
        if reply.types[:1] == (NOT_CARRIED,):
            raise NotMeasured(status.MISSING, reply.message)
        if reply.kind == "raised":
            said = f"{name} raised {reply.types[0]}: {reply.message[:300]}"
            line = f"\nThe line that raised: {reply.line}" if reply.line else ""
            raise NotMeasured(status.ERROR, said + line)
        values = reply.value if isinstance(reply.value, tuple) else (reply.value,)
        if any(isinstance(one, wire.Opaque) for one in values):
            raise NotMeasured(status.ERROR, f"{name} returned a value that is not an "
                                            "array.")
        return reply.value
    return call


def _scores(network: Network, images: np.ndarray) -> np.ndarray:
    try:
        scores = network.forward(images)
    except LayerError as error:
        words = f"The network does not run: {error}."
        raise NotMeasured(status.WRONG, words) from error
    except (TypeError, ValueError) as error:  # a reference layer, or odd values
        raise NotMeasured(
            status.WRONG, f"The network does not run: a layer was handed what another "
            f"returned, and refused it: {error}.") from error
    if scores.dtype.kind not in "fiu" or not np.isfinite(scores).all():
        raise NotMeasured(status.WRONG, "Some of the network's scores are not numbers "
                                        "(NaN or infinite).")
    return scores


def _batch_size(network: Network) -> int:
    """BATCH, or fewer: what a layer returns has to fit into one message."""
    largest = max(int(np.prod(row.output_shape)) for row in network.rows)
    return max(1, min(BATCH, 4_000_000 // largest))
