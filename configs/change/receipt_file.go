package change

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// receiptMark says what a file is, and after which rules it was written.
const receiptMark = "receipt 1"

// A receiptFile is the JSON form of a receipt: indented for people, with the SSH
// signature of the value of "receipt" as compact JSON. Without Belay:
//
//	jq -r .signature FILE > receipt.sig
//	jq -cj .receipt FILE | ssh-keygen -Y verify -f allowed_signers -I NAME -n belay-receipt -s receipt.sig
type receiptFile struct {
	Belay     string          `json:"belay"`
	Receipt   json.RawMessage `json:"receipt"`
	Signature string          `json:"signature"`
}

// Sign is the receipt's JSON form. The same receipt and key make the same bytes.
func (r Receipt) Sign(with crypto.Signer) ([]byte, error) {
	failed := func(err error) error {
		return &devices.Error{Kind: devices.KindOf(err), Op: "sign the receipt of " + r.Change, Err: err}
	}
	message, err := compactJSON(r)
	if err != nil {
		return nil, failed(err)
	}
	signature, err := Sign(message, with, SignatureNamespace)
	if err != nil {
		return nil, failed(err)
	}
	file, err := receiptFile{receiptMark, message, signature}.written()
	if err != nil {
		return nil, failed(err)
	}
	if _, _, err := openReceipt(file); err != nil {
		return nil, failed(err)
	}
	return file, nil
}

// compactJSON leaves letters as they are, as other programs that write JSON do.
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// written is the file, the one way it is ever written.
func (f receiptFile) written() ([]byte, error) {
	compact, err := compactJSON(f)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// openReceipt reads a file, and fails where one byte of it is not as it was
// written. It tells whose key signed, not whether that is to be believed.
func openReceipt(file []byte) (Receipt, ssh.PublicKey, error) {
	var f receiptFile
	if err := json.Unmarshal(file, &f); err != nil {
		return Receipt{}, nil, errors.New("it is no receipt, or not the JSON form of one")
	}
	if f.Belay != receiptMark {
		return Receipt{}, nil, fmt.Errorf("it is not marked as %q", receiptMark)
	}
	var message bytes.Buffer
	if err := json.Compact(&message, f.Receipt); err != nil {
		return Receipt{}, nil, errors.New("there is no receipt in it")
	}
	f.Receipt = message.Bytes()
	if again, err := f.written(); err != nil || !bytes.Equal(again, file) {
		return Receipt{}, nil, errors.New("it is not as it was written")
	}
	key, err := SignedWith(message.Bytes(), f.Signature, SignatureNamespace)
	if err != nil {
		return Receipt{}, nil, err
	}
	var r Receipt
	if err := json.Unmarshal(message.Bytes(), &r); err != nil {
		return Receipt{}, nil, errors.New("its receipt cannot be read")
	}
	return r, key, nil
}

// VerifyReceipt reads the JSON form of a receipt again and tells who signed it.
// A changed byte, white space included, fails; so does a key that is nobody's
// of those trusted. It needs nothing but the file.
func VerifyReceipt(file []byte, trusted []Signatory) (Receipt, Signatory, error) {
	const op = "verify the receipt"
	r, key, err := openReceipt(file)
	if err != nil {
		return Receipt{}, Signatory{}, &devices.Error{Kind: devices.Refused, Op: op, Err: err,
			Hint: "take the file from where it was posted, as it is: no byte of it may change"}
	}
	at := slices.IndexFunc(trusted, func(s Signatory) bool { return bytes.Equal(s.key.Marshal(), key.Marshal()) })
	if at < 0 {
		return Receipt{}, Signatory{}, &devices.Error{Kind: devices.Refused, Op: op, Err: fmt.Errorf("it is unaltered, but its key %s is nobody's of those trusted", ssh.FingerprintSHA256(key)),
			Hint: "get the public key from the one who signed, over another way than the receipt came"}
	}
	return r, trusted[at], nil
}
