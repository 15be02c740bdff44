package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/services/platform/config"
)

// Setup is the file.
type Setup struct {
	TrustDomain string        `yaml:"trust_domain" class:"public" doc:"SPIFFE trust domain of everything that is issued"`
	LeafTTL     time.Duration `yaml:"leaf_ttl" class:"public" doc:"life of a service's certificate; renewed at two thirds"`
	Controllers []string      `yaml:"controllers" class:"internal" doc:"organisations that act as controllers, such as DK:12345678"`
	Partners    []string      `yaml:"partners" class:"internal" doc:"insurance partners"`
	Services    []Service     `yaml:"services" class:"public" doc:"our services"`
	Out         string        `yaml:"out" class:"internal" doc:"folder for the credentials of the services and the anchors of all certificates"`
}

// Service is one of our services.
type Service struct {
	Name           string   `yaml:"name" class:"public" doc:"its name, as in its SPIFFE id"`
	Keys           []string `yaml:"keys" class:"public" doc:"classes of data with a key-encryption key of their own"`
	ControllerKeys string   `yaml:"controller_keys" class:"public" doc:"class of which it has a key for each controller"`
	PartnerKeys    string   `yaml:"partner_keys" class:"public" doc:"class of which it has a key for each partner"`
	DNSNames       []string `yaml:"dns_names" class:"public" doc:"host names in its certificate, for clients that check them"`
	SigningKeys    []string `yaml:"signing_keys" class:"public" doc:"Ed25519 keys with which it signs, such as the ledger's"`
	// ControllerSigningKeys are not named after the service, so that no leave to encrypt reaches them.
	ControllerSigningKeys string `yaml:"controller_signing_keys" class:"public" doc:"prefix of the Ed25519 keys of which it has one for each controller"`
}

// Validate reports every problem at once.
func (s Setup) Validate() error {
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	want(s.TrustDomain != "", "trust_domain: want a SPIFFE trust domain")
	want(s.LeafTTL >= time.Minute, "leaf_ttl: want at least 1m")
	want(len(s.Services) > 0, "services: want at least one")
	want(s.Out != "", "out: want a folder for what the services must be given")
	return errors.Join(problems...)
}

// spec turns the file into what bootstrap applies.
func (s Setup) spec() bootstrap.Spec {
	out := bootstrap.Spec{
		TrustDomain: s.TrustDomain, LeafTTL: s.LeafTTL, MaxLeafTTL: 2 * s.LeafTTL,
		Classes: []bootstrap.Class{{Mount: bootstrap.OrgMount}, {Mount: bootstrap.PartnerMount}},
	}
	for _, svc := range s.Services {
		one := bootstrap.Service{Name: svc.Name, DNSNames: svc.DNSNames, AllowIPs: len(svc.DNSNames) > 0}
		own := svc.keys(s)
		if len(own) > 0 {
			one.Grants = []bootstrap.Grant{{Key: svc.Name + "-*", Uses: []bootstrap.Use{bootstrap.Encrypt, bootstrap.Decrypt}}}
		}
		for _, key := range own {
			out.Keys = append(out.Keys, bootstrap.Key{Name: key})
		}
		for _, key := range append(slices.Clone(svc.SigningKeys), each(svc.ControllerSigningKeys, s.Controllers)...) {
			out.Keys = append(out.Keys, bootstrap.Key{Name: key, Type: bootstrap.Ed25519})
			one.Grants = append(one.Grants, bootstrap.Grant{Key: key, Uses: []bootstrap.Use{bootstrap.Sign, bootstrap.Describe}})
		}
		out.Services = append(out.Services, one)
	}
	return out
}

// keys are the names of the service's key-encryption keys: identity-person, identity-handle-dk-12345678.
func (svc Service) keys(s Setup) []string {
	var out []string
	for _, class := range svc.Keys {
		out = append(out, svc.Name+"-"+class)
	}
	if svc.ControllerKeys != "" {
		out = append(out, each(svc.Name+"-"+svc.ControllerKeys, s.Controllers)...)
	}
	if svc.PartnerKeys != "" {
		out = append(out, each(svc.Name+"-"+svc.PartnerKeys, s.Partners)...)
	}
	return out
}

// each names a key for each organisation: prefix-dk-12345678; none without a prefix.
func each(prefix string, organisations []string) []string {
	if prefix == "" {
		return nil
	}
	out := make([]string, 0, len(organisations))
	for _, o := range organisations {
		out = append(out, prefix+"-"+strings.ToLower(strings.ReplaceAll(o, ":", "-")))
	}
	return out
}

func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	var s Setup
	if err := config.Load(&s, config.Options{Args: args, Environ: []string{}}); err != nil {
		return err
	}
	v, err := stack.OutsideVault(env)
	if err != nil {
		return err
	}
	conf := api.DefaultConfig()
	conf.Address = v.Address
	if err := conf.ConfigureTLS(&api.TLSConfig{CACertBytes: v.CAPEM}); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	client, err := api.NewClient(conf)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	client.SetToken(v.Token)
	return apply(ctx, client, s, out)
}

// apply brings Vault to the state of the file, and writes what the services must be given: each its own folder, and the anchors.
func apply(ctx context.Context, client *api.Client, s Setup, out io.Writer) error {
	result, err := bootstrap.Apply(ctx, client, s.spec())
	if err != nil {
		return err
	}
	for name, credentials := range result.Credentials {
		if _, _, err := credentials.Write(filepath.Join(s.Out, name)); err != nil {
			return err
		}
		say.F(out, "%s: role id and a fresh secret id in %s\n", name, filepath.Join(s.Out, name))
	}
	if err := os.WriteFile(filepath.Join(s.Out, "ca.pem"), result.CAPEM, 0o600); err != nil {
		return fmt.Errorf("anchors: %w", err)
	}
	say.F(out, "anchors of all certificates in %s\n", filepath.Join(s.Out, "ca.pem"))
	return nil
}
