//! Tokens as CI systems document them, and what Fulcio's configuration makes of them.

use serde_json::json;

use super::*;
use crate::identity_token::IdentityToken;

fn claims(extra: Value) -> Claims {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut claims = json!({"iss": "https://issuer.example", "sub": "SUB", "aud": "sigstore", "exp": 2, "iat": 1});
    claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let token = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()));
    IdentityToken::parse(token).unwrap().claims().clone()
}

fn of(issuer: &IssuerType, extra: Value) -> Result<CertificateIdentity, IdentityError> {
    CertificateIdentity::of(issuer, None, &claims(extra))
}

fn ci(provider: &str, extra: Value) -> Result<CertificateIdentity, IdentityError> {
    of(&IssuerType::CiProvider(Box::new(CiProvider::named(provider).unwrap())), extra)
}

fn assert_ci(provider: &str, claims: Value, san: &str, extensions: &[(u8, &str)]) {
    let identity = ci(provider, claims).unwrap();
    assert_eq!(identity.san, SubjectAlternativeName::Uri(san.to_owned()));
    assert_eq!(identity.challenge, "SUB");
    let mut expected = vec![(1, "https://issuer.example"), (8, "https://issuer.example"), (24, "SUB")];
    expected.extend(extensions);
    expected.sort_by_key(|(number, _)| *number);
    let found: Vec<(u8, &str)> = identity.extensions.iter().map(|(number, value)| (*number, value.as_str())).collect();
    assert_eq!(found, expected);
}

fn github() -> Value {
    json!({
        "event_name": "push", "sha": "c0ffee", "workflow": "Release", "repository": "octo/app", "ref": "refs/heads/main",
        "job_workflow_ref": "octo/ci/.github/workflows/sign.yml@refs/tags/v1", "job_workflow_sha": "beef",
        "runner_environment": "github-hosted", "repository_id": "74", "repository_owner": "octo",
        "repository_owner_id": "65", "workflow_ref": "octo/app/.github/workflows/release.yml@refs/heads/main",
        "workflow_sha": "c0ffee", "run_id": "9", "run_attempt": "2", "repository_visibility": "private",
    })
}

#[test]
fn a_github_workflow() {
    let mut extensions = vec![
        (2, "push"),
        (3, "c0ffee"),
        (4, "Release"),
        (5, "octo/app"),
        (6, "refs/heads/main"),
        (9, "https://github.com/octo/ci/.github/workflows/sign.yml@refs/tags/v1"),
        (10, "beef"),
        (11, "github-hosted"),
        (12, "https://github.com/octo/app"),
        (13, "c0ffee"),
        (14, "refs/heads/main"),
        (15, "74"),
        (16, "https://github.com/octo"),
        (17, "65"),
        (18, "https://github.com/octo/app/.github/workflows/release.yml@refs/heads/main"),
        (19, "c0ffee"),
        (20, "push"),
        (21, "https://github.com/octo/app/actions/runs/9/attempts/2"),
        (22, "private"),
    ];
    let san = "https://github.com/octo/ci/.github/workflows/sign.yml@refs/tags/v1";
    assert_ci("github-workflow", github(), san, &extensions);
    let mut deployed = github();
    deployed["environment"] = "production".into();
    extensions.push((23, "production"));
    assert_ci("github-workflow", deployed, san, &extensions);
}

#[test]
fn a_claim_that_is_wanted_and_missing_is_named() {
    let mut claims = github();
    claims.as_object_mut().unwrap().remove("job_workflow_sha");
    let missing = MissingClaim("job_workflow_sha".to_owned());
    assert_eq!(ci("github-workflow", claims), Err(IdentityError::Missing(missing)));
}

#[test]
fn a_gitlab_pipeline() {
    let mut claims = json!({
        "ci_config_ref_uri": "gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": "beef",
        "runner_environment": "gitlab-hosted", "project_path": "group/app", "sha": "c0ffee", "ref_type": "branch",
        "ref": "main", "project_id": "20", "namespace_path": "group", "namespace_id": "72", "pipeline_source": "push",
        "job_id": "302", "project_visibility": "public",
    });
    let mut extensions = [
        (9, "https://gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main"),
        (10, "beef"),
        (11, "gitlab-hosted"),
        (12, "https://gitlab.com/group/app"),
        (13, "c0ffee"),
        (14, "refs/heads/main"),
        (15, "20"),
        (16, "https://gitlab.com/group"),
        (17, "72"),
        (18, "https://gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main"),
        (19, "beef"),
        (20, "push"),
        (21, "https://gitlab.com/group/app/-/jobs/302"),
        (22, "public"),
    ];
    let san = "https://gitlab.com/group/app//.gitlab-ci.yml@refs/heads/main";
    assert_ci("gitlab-pipeline", claims.clone(), san, &extensions);
    claims["ref_type"] = "tag".into();
    extensions[5] = (14, "refs/tags/main");
    assert_ci("gitlab-pipeline", claims, san, &extensions);
}

#[test]
fn a_buildkite_job() {
    let claims = json!({
        "organization_slug": "acme", "pipeline_slug": "app", "build_number": 7, "build_commit": "c0ffee", "job_id": "j",
        "build_source": "webhook", "runner_environment": "self-hosted",
    });
    let extensions =
        [(11, "self-hosted"), (13, "c0ffee"), (20, "webhook"), (21, "https://buildkite.com/acme/app/builds/7#j")];
    assert_ci("buildkite-job", claims, "https://buildkite.com/acme/app", &extensions);
}

#[test]
fn a_codefresh_workflow() {
    let mut claims = json!({
        "account_name": "acme", "account_id": "a1", "pipeline_name": "p/app", "pipeline_id": "p1", "workflow_id": "w1",
    });
    let extensions = [
        (9, "https://g.codefresh.io/build/w1"),
        (18, "https://g.codefresh.io/api/pipelines/p1"),
        (21, "https://g.codefresh.io/build/w1"),
    ];
    assert_ci("codefresh-workflow", claims.clone(), "https://g.codefresh.io/acme/p/app:a1/p1", &extensions);
    claims["platform_url"] = "https://ci.example".into();
    claims["scm_ref"] = "main".into();
    let identity = ci("codefresh-workflow", claims).unwrap();
    assert_eq!(identity.san.as_str(), "https://ci.example/acme/p/app:a1/p1");
    assert!(identity.extensions.contains(&(14, "main".to_owned())));
}

#[test]
fn a_circleci_job() {
    let mut claims = json!({
        "oidc.circleci.com/pipeline-id": "pi", "oidc.circleci.com/project-id": "pr", "oidc.circleci.com/job-id": "j",
        "oidc.circleci.com/pipeline-definition-id": "pd", "oidc.circleci.com/workflow-id": "w",
        "oidc.circleci.com/ssh-rerun": false, "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/vcs-origin": "github.com/octo/app",
    });
    let san = "https://circleci.com/api/v2/projects/pr/pipeline-definitions/pd";
    let mut extensions = vec![
        (9, san),
        (12, "github.com/octo/app"),
        (14, "refs/heads/main"),
        (18, "https://circleci.com/api/v2/pipeline/pi/config"),
        (21, "https://app.circleci.com//workflow/w/job/j"),
    ];
    assert_ci("circleci-job", claims.clone(), san, &extensions);
    claims["oidc.circleci.com/ssh-rerun"] = true.into();
    extensions.push((11, "ssh-rerun"));
    assert_ci("circleci-job", claims, san, &extensions);
}

#[test]
fn a_buddy_pipeline() {
    let claims = json!({
        "base_url": "https://app.buddy.works", "workspace_domain": "acme", "project_name": "app", "pipeline_id": 12,
    });
    assert_ci("buddy-pipeline", claims, "https://app.buddy.works/acme/app/pipelines/pipeline/12", &[]);
}

#[test]
fn people_by_address() {
    let strict = IssuerType::Email { skip_verification: false };
    let lax = IssuerType::Email { skip_verification: true };
    let verified = json!({"email": "a@example.org", "email_verified": true});
    let identity = of(&strict, verified.clone()).unwrap();
    assert_eq!(identity.san, SubjectAlternativeName::Email("a@example.org".to_owned()));
    assert_eq!(identity.challenge, "a@example.org");
    let issuer = "https://issuer.example".to_owned();
    assert_eq!(identity.extensions, [(1, issuer.clone()), (8, issuer), (24, "SUB".to_owned())]);
    let unverified = json!({"email": "a@example.org"});
    assert_eq!(of(&strict, unverified.clone()), Err(IdentityError::Email));
    assert_eq!(of(&lax, unverified), Ok(identity));
    for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "ä@example.org", "a@example.org\n"] {
        assert_eq!(of(&lax, json!({ "email": bad })), Err(IdentityError::Email), "{bad:?}");
    }
    let mut federated = verified;
    federated["federated_claims"] = json!({"connector_id": "https://github.com/login/oauth"});
    let path = Some("$.federated_claims.connector_id");
    let identity = CertificateIdentity::of(&strict, path, &claims(federated)).unwrap();
    assert_eq!(identity.extensions[0], (1, "https://github.com/login/oauth".to_owned()));
    let missing = CertificateIdentity::of(&strict, path, &claims(json!({"email": "a@b", "email_verified": true})));
    assert!(matches!(missing, Err(IdentityError::Missing(_))));
}

#[test]
fn uris_and_usernames() {
    let by_uri = IssuerType::Uri { subject_domain: "https://example.org".to_owned() };
    let subject = |sub: &str| json!({ "sub": sub });
    let named = of(&by_uri, subject("https://example.org/users/1")).unwrap();
    assert_eq!(named.san, SubjectAlternativeName::Uri("https://example.org/users/1".to_owned()));
    assert_eq!(named.challenge, "https://example.org/users/1");
    let spelled = of(&by_uri, subject("https://example.org/users/jörg smith")).unwrap();
    assert_eq!(spelled.san.as_str(), "https://example.org/users/j%C3%B6rg%20smith");
    for bad in ["1", "http://example.org/1", "https://evil.example/1", "https://example.org.evil/1", "mailto:a@b"] {
        assert_eq!(of(&by_uri, subject(bad)), Err(IdentityError::Uri), "{bad}");
    }
    let by_name = IssuerType::Username { subject_domain: "example.org".to_owned() };
    let named = of(&by_name, subject("alice")).unwrap();
    assert_eq!(named.san, SubjectAlternativeName::Username("alice!example.org".to_owned()));
    assert_eq!(named.challenge, "alice");
    for bad in ["", "a!b", "a@b", "a\nb"] {
        assert_eq!(of(&by_name, subject(bad)), Err(IdentityError::Username), "{bad:?}");
    }
}

#[test]
fn workloads() {
    let spiffe = IssuerType::Spiffe { trust_domain: "example.org".to_owned() };
    let subject = |sub: &str| json!({ "sub": sub });
    for id in ["spiffe://example.org/ns/prod/sa/web", "spiffe://example.org"] {
        let named = of(&spiffe, subject(id)).unwrap();
        assert_eq!(named.san, SubjectAlternativeName::Uri(id.to_owned()));
        assert_eq!(named.challenge, id);
    }
    let long = format!("spiffe://example.org/{}", "a".repeat(2048));
    for bad in [
        "",
        "https://example.org/a",
        "spiffe://evil.example/a",
        "spiffe://example.org.evil/a",
        "spiffe://a@example.org/a",
        "spiffe://example.org:1/a",
        "spiffe://example.org/",
        "spiffe://example.org/a/",
        "spiffe://example.org//a",
        "spiffe://example.org/../a",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a%2f",
        &long,
    ] {
        assert_eq!(of(&spiffe, subject(bad)), Err(IdentityError::Spiffe), "{bad}");
    }

    let pod = |pod: Value| of(&IssuerType::Kubernetes, json!({ "kubernetes.io": pod }));
    let named =
        pod(json!({"namespace": "prod", "pod": {"name": "p"}, "serviceaccount": {"name": "web.1", "uid": "u"}}));
    let named = named.unwrap();
    assert_eq!(named.san.as_str(), "https://kubernetes.io/namespaces/prod/serviceaccounts/web.1");
    assert_eq!(named.challenge, "SUB");
    for bad in [
        json!({"namespace": "prod"}),
        json!({"serviceaccount": {"name": "web"}}),
        json!({"namespace": "", "serviceaccount": {"name": "web"}}),
        json!({"namespace": "a/b", "serviceaccount": {"name": "web"}}),
        json!({"namespace": "prod", "serviceaccount": {"name": "../web"}}),
        json!({"namespace": "prod", "serviceaccount": {"name": "web?"}}),
        json!("prod"),
    ] {
        assert_eq!(pod(bad.clone()), Err(IdentityError::ServiceAccount), "{bad}");
    }
}
