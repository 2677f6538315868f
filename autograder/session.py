"""A submission's process over its whole life: run the cells, restart after a loss.

A cell during which the process is lost (crash, hang, too much memory) is left
out from then on: the process is started again and the other cells are run.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import verdict as status
from autograder.kernel import Kernel, KernelLost, Reply
from autograder.sandbox import MiB, Sandbox
from autograder.verdict import Incident

NOT_COPIED = (".ipynb", "timestamp.txt")


class Exhausted(Exception):
    """This submission has used up its time or its restarts."""


@dataclass(frozen=True)
class Cell:
    """A code cell to be run."""

    index: int  # in the notebook
    source: str

    @property
    def name(self) -> str:
        return f"cell {self.index + 1}"

    def defines(self, function: str) -> bool:
        return f"def {function}(" in self.source


def cells_to_run(notebook: Mapping[str, Any]) -> list[Cell]:
    """The code cells, without the graded tests: those are judged, not run."""
    found = []
    for index, cell in enumerate(notebook["cells"]):
        marks = cell.get("metadata", {}).get("nbgrader", {})
        test = marks.get("grade") and not marks.get("solution")
        if cell["cell_type"] == "code" and not test:
            source = cell["source"]
            found.append(Cell(index, source if isinstance(source, str)
                              else "".join(source)))
    return found


class Session:
    """Gives a process in which the notebook has run, for as long as limits allow."""

    def __init__(self, cells: Sequence[Cell], sandbox: Sandbox,
                 folder: Path | None = None) -> None:
        self.cells = cells
        self.sandbox = sandbox
        self.limits = sandbox.limits
        self.folder = folder
        self.outputs: dict[int, list[dict[str, Any]]] = {}
        self.lost: dict[int, KernelLost] = {}  # cells left out, by index, and why
        self.incidents: list[Incident] = []
        self.asked_again: list[Incident] = []  # lost, and asked in a new process
        self.timings = {"start": 0.0, "cells": 0.0, "calls": 0.0, "restarts": 0.0,
                        "peak_mib": 0.0}
        self.versions: dict[str, str] = {}
        self.called: set[str] = set()  # functions that this process was asked for
        self._kernel: Kernel | None = None
        self._starts = 0
        self._began = time.monotonic()
        self._output_left = self.limits.notebook_output_bytes

    def kernel(self) -> Kernel:
        """A process in which the cells have run; raises Exhausted."""
        self._check_time()
        if self._kernel and self._kernel.alive and not self._kernel.in_step:
            if self._kernel.hung_up:
                self.incident(status.CRASH, "the notebook", "The Python process ended "
                              "while nothing was asked of it.")
            else:
                self.incident("forged", "the notebook", "Something was written to the "
                              "connection to the grader, where only answers belong.")
        while self._kernel is None or not self._kernel.in_step:
            self._renew()
        return self._kernel

    @property
    def unused(self) -> bool:
        """Whether no function has been called yet in the process that is next."""
        return not (self._kernel and self._kernel.in_step and self.called)

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any],
             seconds: float) -> Reply:
        """Call a student's function; raises KernelLost and Exhausted."""
        kernel = self.kernel()
        if function not in self.called:
            seconds += self.limits.first_call_seconds
            self.called.add(function)
        began = time.monotonic()
        try:
            return kernel.call(function, args, kwargs, seconds)
        finally:
            self.timings["calls"] += time.monotonic() - began

    def frozen(self) -> AbstractContextManager[None]:
        """Nothing of the student's runs meanwhile."""
        return self._kernel.frozen() if self._kernel else contextlib.nullcontext()

    def _renew(self) -> None:
        """End the process; the next is a new one in which all cells are run."""
        self.close()
        if self._starts > self.limits.restarts:
            raise Exhausted(f"Its Python process had to be started again "
                            f"{self.limits.restarts} times; that is the limit.")
        self._check_time()
        self._starts += 1
        self.timings["restarts"] = self._starts - 1
        self.called = set()
        began = time.monotonic()
        kernel = Kernel(self.sandbox).start()
        self.versions = kernel.versions
        self.timings["start"] += time.monotonic() - began
        self._kernel = kernel
        try:
            self._put_files(kernel)
            self._run_cells(kernel)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process; the next question gets a new one."""
        if self._kernel:
            self._kernel.close()
            peak = self._kernel.peak_memory / MiB
            self.timings["peak_mib"] = max(self.timings["peak_mib"], round(peak, 1))
        self._kernel = None

    def incident(self, kind: str, where: str, message: str,
                 cell: int | None = None) -> None:
        found = Incident(kind, where, message, cell)
        if found not in self.incidents:
            self.incidents.append(found)

    def _check_time(self) -> None:
        if time.monotonic() - self._began > self.limits.total_seconds:
            raise Exhausted("The whole submission took longer than "
                            f"{self.limits.total_seconds:.3g} s; that is the limit.")

    def _put_files(self, kernel: Kernel) -> None:
        left = self.limits.scratch_bytes // 4
        for name, path in handed_in(self.folder):
            size = path.stat().st_size
            if size > left:
                self.incident("files", name, f"{size / MiB:.0f} MiB is too large to be "
                              "handed in; the file was left out.")
                continue
            left -= size
            kernel.put(name, path.read_bytes())

    def _run_cells(self, kernel: Kernel) -> None:
        for cell in self.cells:
            if cell.index in self.lost:
                continue
            self._check_time()
            began = time.monotonic()
            try:
                self._run(kernel, cell)
            except KernelLost as lost:
                self._leave_out(cell, lost)
                return
            finally:
                self.timings["cells"] += time.monotonic() - began

    def _run(self, kernel: Kernel, cell: Cell) -> None:
        cap = min(self.limits.output_bytes, self._output_left)
        run = kernel.run_cell(cell.source, cap=cap)
        if cell.index not in self.outputs:
            self.outputs[cell.index] = run.outputs
            self._output_left = max(0, self._output_left - run.size)
            if run.cut:
                self._note_cut(cell, cap)

    def _note_cut(self, cell: Cell, cap: int) -> None:
        text = f"It showed more than {cap / MiB:.3g} MiB; the rest was cut off."
        self.incident("output", cell.name, text, cell.index)
        self.outputs[cell.index].append(
            {"output_type": "stream", "name": "stdout", "text": f"\n[{text}]\n"})

    def _leave_out(self, cell: Cell, lost: KernelLost) -> None:
        self.lost[cell.index] = lost
        self.incident(lost.status, cell.name, lost.message, cell.index)
        text = f"{lost.message} The cell was left out."
        self.outputs.setdefault(cell.index, []).append(
            {"output_type": "error", "ename": "Stopped", "evalue": text,
             "traceback": [text]})


def handed_in(folder: Path | None) -> Iterator[tuple[str, Path]]:
    """The files that a student handed in with the notebook: name and path.

    Links and special files are not followed: they could lead anywhere.
    """
    if folder is None:
        return
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(files):
            path = Path(top, name)
            inside = path.relative_to(folder).as_posix()
            if (not name.endswith(NOT_COPIED) and inside.isprintable()
                    and path.is_file() and not path.is_symlink()):
                yield inside, path
