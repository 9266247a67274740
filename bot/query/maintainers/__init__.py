"""MAINTAINERS files: parsing, and the sections that cover a patch, by the rules of get_maintainer.pl."""
