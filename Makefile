# For those who have make: each target is one command that works without it too (docs/building.md).
PREFIX ?= /usr/local

.PHONY: all demo test check ui-types test-peers valgrind kill-test pull-kill-test soak bench-server bench install clean
all:
	@scripts/install-deps.sh build
	@test -f build/release/build.ninja || cmake --preset release
	@cmake --build --preset release --target sdw sdw_lib

demo:
	@./demo.sh

test:
	@./test.sh

# Only the rules of the sources: layers and lint, with their planted breaches.
check:
	@scripts/install-deps.sh build test
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target sdw_lib
	@ctest --test-dir build/release --label-regex '^tools$$' --output-on-failure

# The TypeScript client's types, after a change of the API's description (src/server/apidocs, fields, routes).
ui-types: all
	@build/sdw help --openapi >build/openapi.json
	@PATH="$$(scripts/node.sh):$$PATH" node ui/scripts/types.mjs <build/openapi.json >build/generated.ts
	@mv build/generated.ts ui/packages/sdk/src/generated.ts

test-peers: all
	@scripts/test-peers.sh

# The program under valgrind, on a tiny model.
valgrind: all
	@scripts/test-valgrind.sh

# kill -9 of the service at KILLS random moments (30); the test suite does three.
KILLS ?= 30
kill-test:
	@scripts/install-deps.sh build test
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target sdw service_test_kill
	@mkdir -p build/release/tests/run/kill-test
	@cd build/release/tests/run/kill-test && SDW=$(CURDIR)/build/sdw SDW_DEMO_MODEL=$(CURDIR)/demo/model SDW_KILLS=$(KILLS) ../../service_test_kill

# kill -9 of `sdw pull`, PULL_KILLS times (20) in PULL_MB megabytes (200); the test suite does three in 20.
PULL_KILLS ?= 20
PULL_MB ?= 200
pull-kill-test:
	@scripts/install-deps.sh build test
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target sdw hub_test_kill
	@mkdir -p build/release/tests/run/pull-kill-test
	@cd build/release/tests/run/pull-kill-test && SDW_PULL_KILLS=$(PULL_KILLS) SDW_PULL_MB=$(PULL_MB) ../../hub_test_kill

# SOAK_FAKE jobs (1000) in a row through the service without weights, SOAK_DEMO (200) through the demo model: no growth of
# memory or descriptors; the test suite does 200 and 48.
SOAK_FAKE ?= 1000
SOAK_DEMO ?= 200
soak:
	@scripts/install-deps.sh build test
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target sdw sdw-fake service_test_soak
	@mkdir -p build/release/tests/run/soak
	@cd build/release/tests/run/soak && SDW=$(CURDIR)/build/sdw SDW_FAKE=$(CURDIR)/build/release/tests/sdw-fake SDW_DEMO_MODEL=$(CURDIR)/demo/model \
	SDW_SOAK_FAKE=$(SOAK_FAKE) SDW_SOAK_DEMO=$(SOAK_DEMO) ../../service_test_soak

# What many readers of the server cost, LOAD_SECONDS (20) each; the test suite does 2.
LOAD_SECONDS ?= 20
bench-server:
	@scripts/install-deps.sh build test
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target server_test_load
	@SDW_LOAD_SECONDS=$(LOAD_SECONDS) build/release/tests/server_test_load

# MODEL=folder or file; the demo model without it. ARGS="--width 512 --height 512 --steps 3"
bench: all
	@build/sdw bench $(if $(MODEL),--model $(MODEL)) $(ARGS)

install: all
	@cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build demo/out
