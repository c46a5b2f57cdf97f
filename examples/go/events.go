// Events in Go, each once: go run events.go 'ws://host:4747/hub/ws?projectId=app'
//
// Each message carries a cursor. After a drop it goes on from the last one, so that nothing is lost and nothing comes
// twice; where something may be missing all the same, a message of type "gap" says so. A token goes into SNAPWIRE_TOKEN.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

type message struct {
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
	Timestamp string          `json:"timestamp"`
	Cursor    string          `json:"cursor"`
}

// follow prints what comes and returns the last cursor when the connection is lost.
func follow(address *url.URL, cursor string) (string, error) {
	query := address.Query()
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	target := *address
	target.RawQuery = query.Encode()
	header := http.Header{}
	if token := os.Getenv("SNAPWIRE_TOKEN"); token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	connection, _, err := websocket.DefaultDialer.Dial(target.String(), header)
	if err != nil {
		return cursor, err
	}
	defer connection.Close()
	for {
		var said message
		if err := connection.ReadJSON(&said); err != nil {
			return cursor, err
		}
		cursor = said.Cursor
		fmt.Printf("%s %s\n", said.Type, said.Payload)
	}
}

func main() {
	address, err := url.Parse(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for cursor := ""; ; {
		cursor, err = follow(address, cursor)
		log.Printf("not connected: %v", err)
		time.Sleep(time.Duration(500+rand.Intn(1500)) * time.Millisecond)
	}
}
