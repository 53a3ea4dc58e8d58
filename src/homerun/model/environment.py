"""The exports that point unmodified gcloud at a homerun daemon; `homerun env` prints them.

gcloud puts the region in front of the host of its Run endpoint (`us-central1-run.homerun.localhost`). Such names need
no DNS, because the API port also answers as the HTTP proxy for its own names.
"""

from __future__ import annotations

API_DOMAIN = "homerun.localhost"
IAM_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"


def gcloud_environment(
    api_host: str, api_port: int, project: str, region: str, *, token_needed: bool = False
) -> dict[str, str]:
    """`api_host` and `api_port`: where the API listens, as a client on this machine reaches it. Where a token is
    needed, whoever has one adds it."""
    host = "127.0.0.1" if api_host in ("", "0.0.0.0", "::") else api_host
    overrides = {
        f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}": f"http://{api}.{API_DOMAIN}:{api_port}/"
        for api in ("run", "logging", "secretmanager", "cloudscheduler", "serviceusage", "cloudresourcemanager")
    }
    # For ID tokens gcloud goes there without a proxy, and puts nothing in front.
    overrides[IAM_ENDPOINT] = f"http://{host}:{api_port}/"
    if not token_needed:
        # No account; but gcloud speaks gRPC, and impersonates service accounts, only when it has some token.
        overrides["CLOUDSDK_AUTH_ACCESS_TOKEN"] = "none-needed"
    return {
        **overrides,
        "CLOUDSDK_PROXY_TYPE": "http_no_tunnel",
        "CLOUDSDK_PROXY_ADDRESS": host,
        "CLOUDSDK_PROXY_PORT": str(api_port),
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_RUN_REGION": region,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    }
