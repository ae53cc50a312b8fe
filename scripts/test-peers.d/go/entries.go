package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// bundleEntries prints what bundles say was logged, a line an entry.
func bundleEntries(files []string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var bundle struct {
			VerificationMaterial struct {
				TlogEntries []struct {
					InclusionProof struct {
						LogIndex string
					}
					CanonicalizedBody []byte
				}
			}
		}
		if err := json.Unmarshal(text, &bundle); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, entry := range bundle.VerificationMaterial.TlogEntries {
			index := entry.InclusionProof.LogIndex
			if index == "" {
				index = "0" // as proto3 has it
			}
			fmt.Println(line(index, entry.CanonicalizedBody))
		}
	}
	return nil
}

func line(index string, body []byte) string {
	hash := tlog.RecordHash(body)
	return index + " " + hex.EncodeToString(hash[:])
}

// add logs new entries from 16 clients at once, and prints a line for each that was acknowledged.
func add(version, log, count string) error {
	addOne := map[string]func(string) (string, error){"v1": addV1, "v2": addV2}[version]
	left, err := strconv.Atoi(count)
	if err != nil || addOne == nil {
		return fmt.Errorf("usage: logcheck add v1|v2 LOG COUNT")
	}
	turns := make(chan struct{}, left)
	for ; left > 0; left-- {
		turns <- struct{}{}
	}
	close(turns)
	var clients sync.WaitGroup
	failures := make(chan error, 16)
	for i := 0; i < cap(failures); i++ {
		clients.Add(1)
		go func() {
			defer clients.Done()
			for range turns {
				line, err := addOne(strings.TrimSuffix(log, "/"))
				if err != nil {
					failures <- err
					return
				}
				fmt.Println(line)
			}
		}()
	}
	clients.Wait()
	close(failures)
	return <-failures
}

// signed is something that nobody signed before.
type signed struct{ digest, signature, key []byte }

func sign() (s signed, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return s, err
	}
	digest := sha256.New()
	if _, err = io.CopyN(digest, rand.Reader, 32); err != nil {
		return s, err
	}
	s.digest = digest.Sum(nil)
	if s.signature, err = ecdsa.SignASN1(rand.Reader, key, s.digest); err != nil {
		return s, err
	}
	s.key, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	return s, err
}

type object map[string]interface{}

func addV1(log string) (string, error) {
	s, err := sign()
	if err != nil {
		return "", err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.key})
	var answer map[string]struct {
		Body         []byte
		Verification struct{ InclusionProof struct{ LogIndex int64 } }
	}
	err = post(log+"/api/v1/log/entries", object{"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": object{
		"data":      object{"hash": object{"algorithm": "sha256", "value": hex.EncodeToString(s.digest)}},
		"signature": object{"content": s.signature, "publicKey": object{"content": key}},
	}}, &answer)
	if err != nil {
		return "", err
	}
	for _, entry := range answer {
		return line(strconv.FormatInt(entry.Verification.InclusionProof.LogIndex, 10), entry.Body), nil
	}
	return "", fmt.Errorf("an answer without an entry")
}

func addV2(log string) (string, error) {
	s, err := sign()
	if err != nil {
		return "", err
	}
	var answer struct {
		LogIndex          string
		CanonicalizedBody []byte
	}
	err = post(log+"/api/v2/log/entries", object{"hashedRekordRequestV002": object{
		"digest": s.digest,
		"signature": object{"content": s.signature, "verifier": object{
			"publicKey": object{"rawBytes": s.key}, "keyDetails": "PKIX_ECDSA_P256_SHA_256",
		}},
	}}, &answer)
	return line(answer.LogIndex, answer.CanonicalizedBody), err
}

func post(address string, request object, answer interface{}) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	response, err := http.Post(address, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return json.Unmarshal(text, answer)
}
