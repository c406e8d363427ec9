//! Products that run containers of their own: CI runners, Testcontainers, agents, people.

use super::super::support::docker::unique;
use super::super::support::engine::Engine;
use super::super::support::registry::Registry;
use super::site::{Call, Site};

/// Roads to the host that none of them needs.
const ROADS: &[Call] = &[
    ("privileged", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"Privileged":true}}"#),
    ("mount.host-path", "POST /containers/create", r#"{"Image":"busybox:1.0","HostConfig":{"Binds":["/:/host"]}}"#),
    (
        "namespace.network.host",
        "POST /containers/create",
        r#"{"Image":"busybox:1.0","HostConfig":{"NetworkMode":"host"}}"#,
    ),
    (
        "mount.engine-socket",
        "POST /containers/create",
        r#"{"Image":"busybox:1.0","HostConfig":{"Binds":["/var/run/docker.sock:/var/run/docker.sock"]}}"#,
    ),
    ("api.not-allowed", "POST /plugins/pull?remote=x", "[]"),
    ("api.not-allowed", "POST /swarm/init", r#"{"ListenAddr":"127.0.0.1"}"#),
];

/// GitLab Runner 19.4 at d79f3e7b, `executors/docker/`: `docker.go` (`createHostConfig`, images by their id), `internal/volumes`,
/// `internal/networks` (a network for each build), `internal/exec` (attach, start), `internal/wait`.
const GITLAB_RUNNER: &[Call] = &[
    ("200", "GET /version", ""),
    ("200", "GET /info", ""),
    ("200", "GET /images/registry.gitlab.com/gitlab-org/gitlab-runner/gitlab-runner-helper:x86_64-v1/json", ""),
    (
        "*",
        "POST /images/create?fromImage=registry.gitlab.com%2Fgitlab-org%2Fgitlab-runner%2Fgitlab-runner-helper&tag=x86_64-v1",
        "",
    ),
    ("*", "POST /images/create?fromImage=busybox&tag=1.0", ""),
    (
        "201",
        "POST /networks/create",
        r#"{"Name":"runner-{name}","Labels":{"com.gitlab.gitlab-runner.managed":"true"}}"#,
    ),
    ("200", "GET /networks/runner-{name}", ""),
    (
        "201",
        "POST /volumes/create",
        r#"{"Name":"runner-{name}-cache","Labels":{"com.gitlab.gitlab-runner.managed":"true"}}"#,
    ),
    (
        "201",
        "POST /containers/create?name=runner-{name}-set-permission",
        r#"{"Image":"{image}","Cmd":["true"],"HostConfig":{"LogConfig":{"Type":"json-file"},"Binds":["runner-{name}-cache:/gitlab-runner-cache-init"]}}"#,
    ),
    ("204", "POST /containers/{id}/start", ""),
    ("200", "POST /containers/{id}/wait?condition=not-running", ""),
    ("204", "DELETE /containers/{id}?force=1", ""),
    (
        "201",
        "POST /containers/create?name=runner-{name}-build",
        r#"{"Image":"{image}","Cmd":["sleep","600"],"OpenStdin":true,"StdinOnce":true,"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Labels":{"com.gitlab.gitlab-runner.type":"build"},"HostConfig":{"RestartPolicy":{"Name":"no"},"NetworkMode":"runner-{name}","Binds":["runner-{name}-cache:/builds"],"ExtraHosts":[],"LogConfig":{"Type":"json-file"}}}"#,
    ),
    ("200", "GET /containers/{id}/json", ""),
    ("101", "POST /containers/{id}/attach?stdin=1&stdout=1&stderr=1&stream=1", ""),
    ("204", "POST /containers/{id}/start", ""),
    (
        "201",
        "POST /containers/{id}/exec",
        r#"{"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"Cmd":["sh"]}"#,
    ),
    ("200", "GET /containers/{id}/logs?stdout=1&stderr=1&timestamps=1", ""),
    ("200", "GET /containers/json?all=1", ""),
    ("200", "GET /networks", ""),
    ("204", "POST /containers/{id}/stop?t=0", ""),
    ("200", "POST /containers/{id}/wait?condition=not-running", ""),
    ("200", "POST /networks/runner-{name}/disconnect", r#"{"Container":"{id}","Force":true}"#),
    ("204", "DELETE /containers/{id}?force=1&v=1", ""),
    ("204", "DELETE /networks/runner-{name}", ""),
    ("204", "DELETE /volumes/runner-{name}-cache?force=1", ""),
];

const NOT_A_RUNNER: &[Call] = &[
    ("image.not-allowed", "POST /containers/create", r#"{"Image":"{imported}"}"#),
    ("image.not-allowed", "POST /containers/create", r#"{"Image":"other.example.com/x:1"}"#),
    ("container.unseen", "POST /containers/{others}/exec", r#"{"Cmd":["id"]}"#),
    ("container.unseen", "DELETE /containers/{others}?force=1", ""),
];

#[test]
fn a_ci_runner_runs_its_jobs_and_nothing_of_others() {
    // Of its own, here and below: the images get digests, which other tests know to have none.
    let engine = Engine::own();
    let registry = Registry::start();
    let mut site = Site::new(&engine, "ci-runner", "runner", &[("registry.example.com", &registry.address)]);
    let pulled = format!("{}/job:1", registry.address);
    for command in [&["tag", "busybox:1.0", &pulled][..], &["push", "-q", &pulled]] {
        site.direct.ok(command);
    }
    let imported = site.direct.script("tar -C / -c bin/busybox | docker import -", &[]).stdout;
    site.set("{imported}", imported.trim().to_owned());
    let helper = "registry.gitlab.com/gitlab-org/gitlab-runner/gitlab-runner-helper:x86_64-v1";
    site.direct.ok(&["tag", "busybox:1.0", helper]);
    let others = site.direct.ok(&["run", "-d", "busybox:1.0", "sleep", "600"]);
    site.set("{others}", others.clone());
    site.make(GITLAB_RUNNER);
    site.make(ROADS);
    site.make(NOT_A_RUNNER);
    site.direct.ok(&["rm", "-f", &others]);
}

/// testcontainers-go at 5dec9ddf (before 0.45), `docker.go` (`CreateContainer`, `Exec`, `CopyToContainer`, `CreateNetwork`), `reaper.go`
/// (`newReaper`). Networks that tests make have UUIDs for names.
const TESTCONTAINERS: &[Call] = &[
    ("200", "HEAD /_ping", ""),
    ("200", "GET /info", ""),
    ("200", "GET /networks", ""),
    ("200", "GET /images/testcontainers/ryuk:0.14.0/json", ""),
    (
        "201",
        "POST /containers/create?name=reaper_{name}",
        r#"{"Image":"testcontainers/ryuk:0.14.0","Cmd":["sleep","600"],"ExposedPorts":{"8080/tcp":{}},"Labels":{"org.testcontainers.ryuk":"true"},"HostConfig":{"AutoRemove":true,"Binds":["/var/run/docker.sock:/var/run/docker.sock"],"NetworkMode":"bridge","Privileged":false,"PortBindings":{"8080/tcp":[{"HostIp":"","HostPort":""}]}},"NetworkingConfig":{"EndpointsConfig":{"bridge":{}}}}"#,
    ),
    ("204", "DELETE /containers/{id}?force=1&v=1", ""),
    ("*", "POST /images/create?fromImage=postgres&tag=16", ""),
    (
        "201",
        "POST /networks/create",
        r#"{"Name":"{network}","Driver":"bridge","Labels":{"org.testcontainers":"true"}}"#,
    ),
    ("200", "GET /networks/{network}", ""),
    (
        "201",
        "POST /containers/create",
        r#"{"Image":"busybox:1.0","Cmd":["sleep","600"],"ExposedPorts":{"5432/tcp":{}},"Labels":{"org.testcontainers":"true"},"HostConfig":{"PortBindings":{"5432/tcp":[{"HostIp":"","HostPort":""}]},"NetworkMode":"{network}"},"NetworkingConfig":{"EndpointsConfig":{"{network}":{"Aliases":["db"]}}}}"#,
    ),
    ("204", "POST /containers/{id}/start", ""),
    ("200", "GET /containers/{id}/json", ""),
    ("200", "GET /containers/{id}/logs?stdout=1&stderr=1&follow=1", ""),
    ("201", "POST /containers/{id}/exec", r#"{"AttachStdout":true,"AttachStderr":true,"Cmd":["true"]}"#),
    ("101", "POST /exec/{exec}/start", r#"{"Detach":false,"Tty":false}"#),
    ("200", "GET /exec/{exec}/json", ""),
    ("200", "GET /containers/{id}/archive?path=/etc/passwd", ""),
    ("204", "POST /containers/{id}/stop?t=0", ""),
    ("204", "DELETE /containers/{id}?force=1&v=1", ""),
    ("204", "DELETE /networks/{network}", ""),
];

/// moby-ryuk at 01bc3c81, `reaper.go`: it lists by label and removes.
const RYUK: &[Call] = &[
    ("200", "GET /_ping", ""),
    ("200", "GET /containers/json?all=1&filters=%7B%22label%22%3A%7B%22org.testcontainers%3Dtrue%22%3Atrue%7D%7D", ""),
    ("200", "GET /networks?filters=%7B%22label%22%3A%7B%22org.testcontainers%3Dtrue%22%3Atrue%7D%7D", ""),
    ("200", "GET /volumes?filters=%7B%22label%22%3A%7B%22org.testcontainers%3Dtrue%22%3Atrue%7D%7D", ""),
    ("200", "GET /images/json?filters=%7B%22label%22%3A%7B%22org.testcontainers%3Dtrue%22%3Atrue%7D%7D", ""),
    ("204", "DELETE /containers/{id}?force=1&v=1", ""),
    ("404", "DELETE /networks/{name}", ""),
    ("204", "DELETE /volumes/{name}?force=1", ""),
    ("404", "DELETE /images/{name}", ""),
];

const NOT_RYUK: &[Call] = &[
    ("image.not-allowed", "POST /containers/create", r#"{"Image":"busybox:1.0"}"#),
    ("api.not-allowed", "POST /images/create?fromImage=busybox&tag=2", ""),
    ("api.not-allowed", "POST /containers/{id}/exec", r#"{"Cmd":["id"]}"#),
    ("api.not-allowed", "GET /containers/{id}/archive?path=/etc", ""),
    ("api.not-allowed", "POST /images/busybox:1.0/push", ""),
];

#[test]
fn testcontainers_starts_its_reaper_and_what_tests_need() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine, "testcontainers", "tests", &[]);
    site.set("{network}", format!("8f14e45f-{}", unique("ceea-467f")));
    site.direct.ok(&["tag", "busybox:1.0", "testcontainers/ryuk:0.14.0"]);
    site.make(TESTCONTAINERS);
    site.make(ROADS);
    site.make(&[("image.not-allowed", "POST /containers/create", r#"{"Image":"other.example.com/x:1"}"#)]);
}

#[test]
fn ryuk_removes_what_a_test_left_and_starts_nothing() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine, "testcontainers", "ryuk", &[]);
    let id = site.direct.ok(&["run", "-d", "busybox:1.0", "sleep", "600"]);
    site.set("{id}", id);
    site.make(RYUK);
    site.make(NOT_RYUK);
}

/// What an agent's sandbox is made of: an image by digest, no root, no capabilities, limits, no network.
const SANDBOX: &[Call] = &[
    ("200", "POST /images/create?fromImage={repository}&tag={digest}", ""),
    (
        "201",
        "POST /containers/create",
        r#"{"Image":"{repository}@{digest}","Cmd":["sleep","600"],"User":"1000:1000","HostConfig":{"NetworkMode":"none","SecurityOpt":["no-new-privileges"],"CapDrop":["ALL"],"Memory":67108864,"NanoCpus":500000000,"PidsLimit":64,"ReadonlyRootfs":true}}"#,
    ),
    ("204", "POST /containers/{id}/start", ""),
    ("201", "POST /containers/{id}/exec", r#"{"AttachStdout":true,"Cmd":["id"]}"#),
    ("101", "POST /exec/{exec}/start", r#"{"Detach":false,"Tty":false}"#),
    ("200", "GET /containers/{id}/archive?path=/etc/passwd", ""),
    ("200", "GET /containers/{id}/logs?stdout=1", ""),
    ("204", "DELETE /containers/{id}?force=1", ""),
];

const NOT_A_SANDBOX: &[Call] = &[
    ("image.not-allowed", "POST /containers/create", r#"{"Image":"busybox:1.0","User":"1000"}"#),
    ("user.root", "POST /containers/create", r#"{"Image":"{repository}@{digest}"}"#),
    ("security.new-privileges", "POST /containers/create", r#"{"Image":"{repository}@{digest}","User":"1000"}"#),
    ("resources.unlimited", "POST /containers/create", r#"{"Image":"{repository}@{digest}","User":"1000"}"#),
    (
        "network.not-allowed",
        "POST /containers/create",
        r#"{"Image":"{repository}@{digest}","User":"1000","HostConfig":{"NetworkMode":"bridge"}}"#,
    ),
    ("api.not-allowed", "POST /networks/create", r#"{"Name":"x"}"#),
    ("api.not-allowed", "POST /volumes/create", r#"{"Name":"x"}"#),
    ("api.not-allowed", "POST /build?t=x", ""),
    ("api.not-allowed", "POST /images/busybox:1.0/tag?repo=x", ""),
    ("container.unseen", "POST /containers/{others}/exec", r#"{"Cmd":["id"]}"#),
];

#[test]
fn an_agent_has_its_sandbox_and_nothing_else() {
    let engine = Engine::own();
    let registry = Registry::start();
    let repository = format!("{}/sandboxes/base", registry.address);
    let mut site = Site::new(&engine, "ai-agent-sandbox", "agent", &[("registry.example.com", &registry.address)]);
    let tag = format!("{repository}:1");
    for command in [&["tag", "busybox:1.0", &tag][..], &["push", "-q", &tag]] {
        site.direct.ok(command);
    }
    let digests = site.direct.ok(&["image", "inspect", "-f", "{{join .RepoDigests \"\\n\"}}", &tag]);
    let digest = digests.lines().find_map(|line| line.strip_prefix(&format!("{repository}@"))).unwrap();
    site.set("{digest}", digest.to_owned());
    site.set("{repository}", repository);
    let others = site.direct.ok(&["run", "-d", "busybox:1.0", "sleep", "600"]);
    site.set("{others}", others.clone());
    site.make(SANDBOX);
    site.make(ROADS);
    site.make(NOT_A_SANDBOX);
    site.direct.ok(&["rm", "-f", &others]);
}

/// The commands of the Docker CLI and docker-compose 1.29 that a day at a workstation is made of.
const WORKSTATION: &str = r#"
cd "$(mktemp -d)"
printf 'FROM busybox:1.0\nCOPY a /a\nRUN true\n' > Dockerfile
echo a > a
DOCKER_BUILDKIT=0 docker build -q -t "$NAME" .
docker run --rm -v "$NAME:/data" "$NAME" cat /a
docker run -d --name "$NAME" -p 127.0.0.1::80 "$NAME" sleep 600
docker exec "$NAME" true
docker cp a "$NAME:/tmp/a"
docker logs "$NAME"
docker stats --no-stream "$NAME"
docker inspect "$NAME" > /dev/null
docker rm -f "$NAME"
cat > docker-compose.yml <<EOF
version: "3"
services: {one: {image: "busybox:1.0", command: "sleep 600", volumes: ["data:/data"]}}
volumes: {data: {}}
EOF
docker-compose -p "$NAME" up -d
docker-compose -p "$NAME" ps
docker-compose -p "$NAME" exec -T one true
docker-compose -p "$NAME" down -v -t 0
docker volume rm "$NAME"
docker rmi "$NAME"
"#;

const NOT_AT_A_WORKSTATION: &[Call] = &[
    (
        "network.publish",
        "POST /containers/create",
        r#"{"Image":"busybox:1.0","ExposedPorts":{"80/tcp":{}},"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}}}"#,
    ),
    (
        "mount.sensitive",
        "POST /containers/create",
        r#"{"Image":"busybox:1.0","HostConfig":{"Binds":["/etc:/host:ro"]}}"#,
    ),
];

#[test]
fn a_developer_works_as_usual_without_the_host() {
    let engine = Engine::shared();
    let mut site = Site::new(&engine, "developer-workstation", "developers", &[]);
    let said = site.gated.script(WORKSTATION, &[("NAME", &unique("workstation"))]);
    assert!(said.status.success(), "{said:#?}");
    site.make(ROADS);
    site.make(NOT_AT_A_WORKSTATION);
}
