"""The tokens by which EKS clusters know an AWS key: a signed question to AWS's STS, in base64, good for 15 minutes.

Form: https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster, signed by AWS
Signature Version 4 in the query (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from tasks.gateways import sign_aws

_SECONDS: Final = "60"
_SIGNED: Final = "host;x-k8s-aws-id"
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


def make_eks_token(maker: Mapping[str, str], now: datetime) -> str:
    """Return a token for `cluster` of `region` by `access_key_id` and `secret_access_key`; `now` is in UTC."""
    host = f"sts.{maker['region']}.amazonaws.com"
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{maker['region']}/sts/aws4_request"
    query = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{maker['access_key_id']}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": _SECONDS,
        "X-Amz-SignedHeaders": _SIGNED,
    }
    text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
    headers = f"host:{host}\nx-k8s-aws-id:{maker['cluster']}\n"
    request = "\n".join(("GET", "/", text, headers, _SIGNED, _EMPTY))
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = sign_aws(maker["secret_access_key"], scope, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}")
    url = f"https://{host}/?{text}&X-Amz-Signature={signature}"
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
