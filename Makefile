# The commands of a developer and of somebody who tries the lab. `make` alone lists them.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export MOLECULE_GLOB := molecule/*/molecule.yml

.DEFAULT_GOAL := help
.PHONY: help demo drill clean test test-long lint unit molecule bench setup build files compat docs tables

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build a highly available cluster of six local containers and show it
	@lab/demo

drill: ## Break the endpoint of the demo's cluster in every way, ten times each, and measure what that costs
	@lab/drill

clean: ## Take the demo's containers and network away; the cache stays
	@lab/clean

setup: ## Install what the lab and the tests need (the other commands do it themselves; quick when it is done)
	@lab/setup

test: lint docs unit molecule ## Everything that CI runs

test-long: setup ## What takes hours: the life of a cluster, upgrades killed at six moments, two minors, certificates that expire, reboots
	tests/long/run

lint: setup ## yamllint, ansible-lint, mypy, the changelog, ansible-test sanity, galaxy-importer
	yamllint --strict .
	ansible-lint
	mypy
	antsibull-changelog lint
	tests/run_sanity
	tests/import_to_galaxy

unit: setup ## The Python tests
	pytest

molecule: setup ## Every role and the whole cluster, on real machines made of containers
	tests/run_molecule

bench: setup ## The playbook against a shell script of bare commands
	.venv/bin/python bench/run

compat: setup ## The Python tests on every ansible-core and Python that are supported, those of targets' code on Python 3.9
	tests/run_compat

docs: setup ## The pages of modules, plugins and roles, as Galaxy shows them; a warning is an error
	tests/build_docs

build: setup ## The collection as a Galaxy artifact, in dist/
	ansible-galaxy collection build --force --output-path dist

files: build ## Write tests/tarball.txt, the list of what may leave the clone, from what is here
	tar -tzf dist/quorum-kubeadm-$$(sed -n 's/^version: //p' galaxy.yml).tar.gz | grep -v '/$$' | LC_ALL=C sort > tests/tarball.txt
	git diff --stat -- tests/tarball.txt

tables: setup ## Write docs/inputs.md and the tables of the roles' READMEs from what they describe
	python tests/role_tables.py
	PYTHONPATH=collections python -m ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs > docs/inputs.md
