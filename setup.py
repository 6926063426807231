# SPDX-License-Identifier: GPL-2.0-or-later
"""What pyproject.toml cannot say: the catalogues are compiled first, and nothing is built in our own build/lib."""

from setuptools import setup
from setuptools.command.build_py import build_py


class Build(build_py):
    """Compiles the catalogues with Babel's command."""

    def run(self) -> None:
        """Build the package."""
        self.run_command("compile_catalog")
        super().run()


setup(
    cmdclass={"build_py": Build},
    options={
        "build": {"build_base": "build/setuptools"},
        "compile_catalog": {"directory": "python/mxbackup/locale", "domain": "mxbackup"},
    },
)
