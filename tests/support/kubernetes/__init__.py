"""A Kubernetes API server in memory, over real HTTP and TLS on loopback.

`ApiServer` is the whole of it, `Farm` many of them behind one socket. It keeps what a client can see: versions,
conflicts, server-side apply, selectors, paging, watches, namespaces with their cascade, quotas, RBAC, tokens, custom
resources, and workloads whose pods run at once. With a `Kubelet` pods do not only seem to run: see there. The contract
suite (tests/clusters/contract) holds it to what a real API server does. It is no scheduler and no network, and it does
not keep users from giving each other rights that they lack.
"""

from tests.support.kubernetes.controllers import NEVER_READY
from tests.support.kubernetes.faults import Fault, Faults
from tests.support.kubernetes.kubelet import Kubelet
from tests.support.kubernetes.server import ApiServer, Farm, black_hole, farming, serving

__all__ = ["NEVER_READY", "ApiServer", "Farm", "Fault", "Faults", "Kubelet", "black_hole", "farming", "serving"]
