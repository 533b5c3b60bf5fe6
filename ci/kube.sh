# Runs the Kubernetes contract suite, and the walk of a workspace, on a real API server, or says exactly how to get one.
# KUBE_UP: a program that starts one. KUBE_BIN: a folder with etcd, kube-apiserver and kube-controller-manager (etcd may
# be on the PATH). Without either, .cache/kube is looked into, and tools/kube beside the repository.
set -eu

if [ -z "${KUBE_UP:-}${KUBE_BIN:-}" ]; then
    if [ -x .cache/kube/kube-apiserver ]; then
        KUBE_BIN=$PWD/.cache/kube
        export KUBE_BIN
    elif [ -x ../shared/tools/kube/kube-up ]; then
        KUBE_UP=../shared/tools/kube/kube-up
        export KUBE_UP
    else
        sed -n '/^## Getting a real API server/,$p' docs/clusters.md >&2
        echo "make kube: no real API server was found; the text above says how to build one." >&2
        exit 1
    fi
fi
exec "${PYTHON_BIN:-python}" -m pytest tests/clusters/contract tests/tenancy/places/test_walk.py -k real "$@"
