"""Who may call each operation. A new route has its line here, or the matrix fails.

PUBLIC    everyone
KNOWN     whoever is known, with any key
ACCOUNT   whoever is known, over their own account; a key needs the scope
OWN       the one user it belongs to; for all others it does not exist
TENANT    who holds the permission where the thing lies; for strangers it does not exist
LIST      whoever is known, and sees what lies where they may read it
CLIENT    a client application by its own key; all others are told what they lack
CLIENTS   the client application whose user it is, and that user; for all others it does not exist
ROOM      a client application in its rooms, and its users in those they are in; for all others these do not exist
PLATFORM  administrators of the platform
RUNNER    a runner, by its own token; nobody else is known there
"""

from __future__ import annotations

PUBLIC, KNOWN, ACCOUNT, OWN, TENANT, LIST, CLIENT, CLIENTS, ROOM, PLATFORM, RUNNER = (
    *("public", "known", "account", "own", "tenant", "list", "client", "clients", "room", "platform", "runner"),
)

_SAID = {
    PUBLIC: """
        GET /health, GET /health/live, GET /health/ready, GET /metrics, GET /openapi.json, GET /docs, GET /redoc, GET /
        GET /ws, GET /api/v1/websocket/open, GET /ws/executions/{execution_id}
        GET /.well-known/jwks.json, GET /api/v1/changelog, GET /api/v1/schemas/pipeline.json
        GET /api/v1/pipelines/{pipeline_id}/badge.svg
        POST /api/v1/webhooks/github, POST /api/v1/webhooks/gitlab, POST /api/v1/webhooks/gitea
        POST /api/v1/auth/register, POST /api/v1/auth/login, POST /api/v1/auth/refresh, POST /api/v1/auth/logout
        POST /api/v1/auth/mfa/challenge
        GET POST /api/v1/auth/{provider}, GET /api/v1/auth/{provider}/callback, POST /api/v1/auth/login/{provider}
        POST /api/v1/auth/verify-email, POST /api/v1/auth/forgot-password, POST /api/v1/auth/reset-password
        POST /api/v1/clients, POST /api/v1/runner/register, GET POST /api/v1/unsubscribe/{recipient_id}/{mark}
        POST /api/v1/notifications/callbacks/{provider_id}
    """,
    KNOWN: "GET /api/v1/auth/verify, GET /api/v1/events, GET /api/v1/cluster-providers, GET /api/v1/event-types",
    ACCOUNT: """
        GET /api/v1/auth/me, POST /api/v1/auth/change-password, GET /api/v1/auth/sessions
        POST /api/v1/auth/sessions/revoke-all, GET /api/v1/auth/security-log
        POST /api/v1/auth/send-verification
        GET /api/v1/auth/mfa, POST /api/v1/auth/mfa/enable, POST /api/v1/auth/mfa/verify, POST /api/v1/auth/mfa/disable
        GET /api/v1/users/me, PUT /api/v1/users/me, PATCH /api/v1/users/me
        GET /api/v1/permissions, POST /api/v1/api-keys, POST /api/v1/organizations, POST /api/v1/pipelines/validate
    """,
    OWN: """
        DELETE /api/v1/auth/sessions/{session_id}
        DELETE /api/v1/organizations/{organization_id}/members/me
        POST /api/v1/organizations/invitations/{token}/accept
        GET PUT PATCH DELETE /api/v1/api-keys/{key_id}, POST /api/v1/api-keys/{key_id}/rotate
    """,
    LIST: """
        GET /api/v1/roles, GET /api/v1/users/{user_id}/roles, GET /api/v1/api-keys, GET /api/v1/organizations
        GET /api/v1/workspaces, GET /api/v1/executions, GET /api/v1/jobs, GET /api/v1/jobs/failures
        POST /api/v1/jobs/bulk, GET /api/v1/clusters, GET /api/v1/users, GET /api/v1/webhooks
        GET /api/v1/metrics/series, GET /api/v1/metrics/timeseries, GET /api/v1/metrics/query
        GET /api/v1/metrics/summary, GET /api/v1/metric-sources
        GET /api/v1/sre/scans, GET /api/v1/sre/anomalies, GET /api/v1/sre/scan-schedules
        GET /api/v1/sre/forecasts, GET /api/v1/sre/insights/overview
        GET /api/v1/sre/problems
        GET /api/v1/sre/recommendations
        GET /api/v1/alert-rules, GET /api/v1/alerts, GET /api/v1/silences
        GET /api/v1/notifications, GET /api/v1/templates, GET /api/v1/suppressions
    """,
    CLIENT: """
        GET PUT PATCH DELETE /api/v1/clients/me, POST /api/v1/clients/regenerate-key
        POST /api/v1/users, POST /api/v1/users/login, GET /api/v1/rooms/all
    """,
    CLIENTS: "GET PUT PATCH DELETE /api/v1/users/{user_id}",
    ROOM: """
        GET POST /api/v1/rooms, GET PUT PATCH DELETE /api/v1/rooms/{room_id}
        POST /api/v1/rooms/{room_id}/join, POST /api/v1/rooms/{room_id}/leave
        POST /api/v1/rooms/{room_id}/activate, POST /api/v1/rooms/{room_id}/deactivate
        GET /api/v1/rooms/{room_id}/participants, GET POST /api/v1/rooms/{room_id}/members
        PATCH DELETE /api/v1/rooms/{room_id}/members/{user_id}
        GET /api/v1/rooms/{room_id}/unread, POST /api/v1/rooms/{room_id}/read
        GET POST /api/v1/messages, GET PUT PATCH DELETE /api/v1/messages/{message_id}
        GET /api/v1/messages/search, GET /api/v1/messages/{message_id}/thread
        POST /api/v1/messages/{message_id}/restore
        PUT /api/v1/rooms/{room_id}/attachments/{attachment_id}, GET /api/v1/attachments/{attachment_id}
    """,
    TENANT: """
        POST /api/v1/roles, GET PUT PATCH DELETE /api/v1/roles/{role_id}
        POST /api/v1/users/{user_id}/roles, DELETE /api/v1/users/{user_id}/roles/{assignment_id}
        GET POST /api/v1/organizations/{organization_id}/api-keys
        GET PUT PATCH DELETE /api/v1/organizations/{organization_id}/api-keys/{key_id}
        POST /api/v1/organizations/{organization_id}/api-keys/{key_id}/rotate
        GET PUT PATCH DELETE /api/v1/organizations/{organization_id}
        GET /api/v1/organizations/{organization_id}/members
        GET DELETE /api/v1/organizations/{organization_id}/members/{user_id}
        PUT /api/v1/organizations/{organization_id}/members/{user_id}/role
        GET POST /api/v1/organizations/{organization_id}/invitations
        DELETE /api/v1/organizations/invitations/{invitation_id}
        GET /api/v1/organizations/{organization_id}/audit-log
        GET /api/v1/organizations/{organization_id}/audit-log/export
        GET POST /api/v1/organizations/{organization_id}/workspaces
        GET PUT PATCH DELETE /api/v1/organizations/{organization_id}/workspaces/{workspace_id}
        POST /api/v1/workspaces, GET PUT PATCH DELETE /api/v1/workspaces/{workspace_id}
        POST /api/v1/workspaces/{workspace_id}/suspend, POST /api/v1/workspaces/{workspace_id}/resume
        POST /api/v1/workspaces/{workspace_id}/upgrade, POST /api/v1/workspaces/{workspace_id}/abandon
        GET /api/v1/workspaces/{workspace_id}/kubeconfig
        GET /api/v1/workspaces/{workspace_id}/resource-usage, GET /api/v1/workspaces/{workspace_id}/repairs
        GET POST /api/v1/workspaces/{workspace_id}/projects
        GET PUT PATCH DELETE /api/v1/workspaces/{workspace_id}/projects/{project_id}
        POST /api/v1/workspaces/{workspace_id}/projects/{project_id}/subprojects
        GET /api/v1/workspaces/{workspace_id}/projects/{project_id}/hierarchy
        GET /api/v1/workspaces/{workspace_id}/projects/{project_id}/resource-usage
        GET POST /api/v1/workspaces/{workspace_id}/projects/{project_id}/members
        GET PUT DELETE /api/v1/workspaces/{workspace_id}/projects/{project_id}/members/{user_id}
        GET POST /api/v1/workspaces/{workspace_id}/members
        GET DELETE /api/v1/workspaces/{workspace_id}/members/{user_id}
        PUT /api/v1/workspaces/{workspace_id}/members/{user_id}/role
        GET POST /api/v1/workspaces/{workspace_id}/pipelines
        GET PUT PATCH DELETE /api/v1/pipelines/{pipeline_id}
        GET POST /api/v1/pipelines/{pipeline_id}/executions, GET /api/v1/pipelines/{pipeline_id}/schedules
        GET /api/v1/executions/{execution_id}, GET /api/v1/executions/{execution_id}/events
        POST /api/v1/executions/{execution_id}/cancel, POST /api/v1/executions/{execution_id}/retry
        POST /api/v1/executions/{execution_id}/trust, GET /api/v1/executions/{execution_id}/attempts
        POST /api/v1/executions/{execution_id}/stages/{stage}/retry, GET /api/v1/executions/{execution_id}/approvals
        POST /api/v1/executions/{execution_id}/stages/{stage}/approve
        POST /api/v1/executions/{execution_id}/stages/{stage}/reject
        GET /api/v1/executions/{execution_id}/logs/{stage}/{step}
        GET /api/v1/executions/{execution_id}/artifacts, GET /api/v1/executions/{execution_id}/artifacts/{name}
        GET /api/v1/executions/{execution_id}/tests, GET /api/v1/executions/{execution_id}/tests/summary
        GET /api/v1/pipelines/{pipeline_id}/tests/flaky, GET /api/v1/pipelines/{pipeline_id}/tests/slowest
        GET DELETE /api/v1/workspaces/{workspace_id}/caches, DELETE /api/v1/workspaces/{workspace_id}/caches/{cache_id}
        GET POST /api/v1/organizations/{organization_id}/variables
        GET PUT PATCH DELETE /api/v1/organizations/{organization_id}/variables/{name}
        GET POST /api/v1/workspaces/{workspace_id}/variables
        GET PUT PATCH DELETE /api/v1/workspaces/{workspace_id}/variables/{name}
        GET POST /api/v1/pipelines/{pipeline_id}/variables
        GET PUT PATCH DELETE /api/v1/pipelines/{pipeline_id}/variables/{name}
        GET POST /api/v1/organizations/{organization_id}/secrets
        GET PUT PATCH DELETE /api/v1/organizations/{organization_id}/secrets/{name}
        GET POST /api/v1/workspaces/{workspace_id}/secrets
        GET PUT PATCH DELETE /api/v1/workspaces/{workspace_id}/secrets/{name}
        GET POST /api/v1/pipelines/{pipeline_id}/secrets
        GET PUT PATCH DELETE /api/v1/pipelines/{pipeline_id}/secrets/{name}
        GET POST /api/v1/environments/{environment_id}/secrets
        GET PUT PATCH DELETE /api/v1/environments/{environment_id}/secrets/{name}
        GET POST /api/v1/workspaces/{workspace_id}/environments
        GET PUT PATCH DELETE /api/v1/environments/{environment_id}
        GET /api/v1/environments/{environment_id}/deployments
        GET PUT PATCH /api/v1/workspaces/{workspace_id}/pipeline-settings
        GET DELETE /api/v1/workspaces/{workspace_id}/webhook, POST /api/v1/workspaces/{workspace_id}/webhook/rotate
        GET /api/v1/workspaces/{workspace_id}/webhook/deliveries
        POST /api/v1/notifications, GET DELETE /api/v1/notifications/{notification_id}
        PUT /api/v1/notifications/attachments/{file_id}
        GET /api/v1/notifications/analytics, GET /api/v1/notifications/{notification_id}/recipients
        POST /api/v1/notifications/{notification_id}/cancel, POST /api/v1/notifications/{notification_id}/retry
        GET PUT /api/v1/clients/email-providers, POST /api/v1/clients/email-providers/validate
        POST /api/v1/templates, GET PUT PATCH DELETE /api/v1/templates/{template_id}
        POST /api/v1/templates/{template_id}/preview
        POST /api/v1/suppressions, GET DELETE /api/v1/suppressions/{suppression_id}
        POST /api/v1/webhooks, GET PUT PATCH DELETE /api/v1/webhooks/{webhook_id}
        POST /api/v1/webhooks/{webhook_id}/activate, POST /api/v1/webhooks/{webhook_id}/deactivate
        POST /api/v1/webhooks/{webhook_id}/rotate-secret, POST /api/v1/webhooks/{webhook_id}/test
        POST /api/v1/webhooks/{webhook_id}/replay, GET /api/v1/webhooks/{webhook_id}/analytics
        GET /api/v1/webhooks/{webhook_id}/deliveries, GET /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}
        POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry
        POST /api/v1/clusters, GET PUT PATCH DELETE /api/v1/clusters/{cluster_id}
        POST /api/v1/clusters/{cluster_id}/apply, POST /api/v1/clusters/{cluster_id}/health-check
        GET /api/v1/clusters/{cluster_id}/health
        GET /api/v1/clusters/{cluster_id}/nodes, GET /api/v1/clusters/{cluster_id}/namespaces
        GET /api/v1/clusters/{cluster_id}/pods, GET /api/v1/clusters/{cluster_id}/services
        GET /api/v1/clusters/{cluster_id}/deployments, GET /api/v1/clusters/{cluster_id}/events
        GET /api/v1/clusters/{cluster_id}/metrics, GET /api/v1/sre/insights/cluster/{cluster_id}
        GET /api/v1/workspaces/{workspace_id}/monitoring/metrics
        GET /api/v1/workspaces/{workspace_id}/monitoring/health
        GET /api/v1/workspaces/{workspace_id}/monitoring/alerts
        POST /api/v1/metric-sources, GET PUT PATCH DELETE /api/v1/metric-sources/{source_id}
        POST /api/v1/metrics/collect, POST /api/v1/metrics/write, POST /api/v1/sre/scans
        POST /api/v1/alert-rules, POST /api/v1/alert-rules/trials, GET PUT PATCH DELETE /api/v1/alert-rules/{rule_id}
        GET /api/v1/alerts/{alert_id}, PUT /api/v1/alerts/{alert_id}/acknowledge
        PUT /api/v1/alerts/{alert_id}/resolve, POST /api/v1/alerts/ingest
        POST /api/v1/silences, GET PUT PATCH DELETE /api/v1/silences/{silence_id}
        GET /api/v1/sre/scans/{scan_id}, GET /api/v1/sre/scans/{scan_id}/scores
        GET /api/v1/sre/anomalies/{anomaly_id}, PUT /api/v1/sre/anomalies/{anomaly_id}/acknowledge
        GET PATCH /api/v1/sre/problems/{problem_id}
        GET PATCH /api/v1/sre/recommendations/{recommendation_id}, POST /api/v1/sre/recommendations/generate
        GET /api/v1/sre/recommendations/{recommendation_id}/applies
        POST /api/v1/sre/recommendations/{recommendation_id}/apply
        POST /api/v1/sre/scan-schedules, GET PUT PATCH DELETE /api/v1/sre/scan-schedules/{schedule_id}
        GET /api/v1/organizations/{organization_id}/runners, GET /api/v1/workspaces/{workspace_id}/runners
        GET PATCH DELETE /api/v1/runners/{runner_id}, DELETE /api/v1/runner-tokens/{token_id}
        GET POST /api/v1/organizations/{organization_id}/runner-tokens
        GET POST /api/v1/workspaces/{workspace_id}/runner-tokens
        GET /api/v1/jobs/{job_id}, GET /api/v1/jobs/{job_id}/events, GET /api/v1/jobs/{job_id}/history
        POST /api/v1/jobs/{job_id}/cancel, POST /api/v1/jobs/{job_id}/retry
    """,
    RUNNER: """
        GET DELETE /api/v1/runner, POST /api/v1/runner/claim
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/heartbeat
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/finish
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/steps/{step_id}/start
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/steps/{step_id}/finish
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/steps/{step_id}/log
        GET /api/v1/runner/jobs/{job_id}/attempts/{attempt}/artifacts/{key}
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/artifacts
        PUT /api/v1/runner/jobs/{job_id}/attempts/{attempt}/files
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/report
        POST /api/v1/runner/jobs/{job_id}/attempts/{attempt}/caches/find
        GET /api/v1/runner/jobs/{job_id}/attempts/{attempt}/caches/{cache_id}
        PUT /api/v1/runner/jobs/{job_id}/attempts/{attempt}/caches
    """,
    PLATFORM: """
        PUT /api/v1/organizations/{organization_id}/plan, GET /mails
        GET /api/v1/admin/audit-log, GET /api/v1/admin/audit-log/export
        GET /api/v1/admin/users, GET /api/v1/admin/users/{user_id}, GET /api/v1/admin/stats
        PATCH /api/v1/admin/users/{user_id}/disable, PATCH /api/v1/admin/users/{user_id}/enable
        PATCH /api/v1/admin/users/{user_id}/role, DELETE /api/v1/admin/users/{user_id}/mfa
        GET /api/v1/admin/clients, GET /api/v1/admin/clients/{client_id}, PUT /api/v1/admin/clients/{client_id}/plan
        PATCH /api/v1/admin/clients/{client_id}/disable, PATCH /api/v1/admin/clients/{client_id}/enable
    """,
}


def _read(text: str) -> list[str]:
    lines = (line.split() for line in text.replace(",", "\n").splitlines())
    return [f"{method} {words[-1]}" for words in lines for method in words[:-1]]


WHO_MAY = {operation: kind for kind, text in _SAID.items() for operation in _read(text)}
