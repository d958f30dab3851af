"""What pyproject.toml cannot say: a wheel takes the YAML files of configs/ along, as data of the package."""

from pathlib import Path
from shutil import copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # which reads them where they are
            copytree("configs", Path(self.build_lib) / "jaxmarl_comm" / "configs", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConfigs})
