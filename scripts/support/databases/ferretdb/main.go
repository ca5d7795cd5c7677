// Command ferretdb-node is FerretDB with its data in SQLite, reached over loopback only and without logins.
//
// Usage: ferretdb-node FOLDER PORT, or ferretdb-node FOLDER create DATABASE COLLECTION. FerretDB's own program lacks a
// file where it is built from its module, and ends at once. This one ends in good order on TERM.
package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
)

func main() {
	folder, port := os.Args[1], os.Args[2]
	var database, collection string
	if port == "create" {
		port, database, collection = "0", os.Args[3], os.Args[4]
	}
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	node, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: net.JoinHostPort("127.0.0.1", port)},
		Handler:   "sqlite",
		SQLiteURL: "file:" + folder + "/",
	})
	if err != nil {
		log.Fatal(err)
	}
	if collection != "" {
		go func() {
			defer stop()
			if err := create(stopped, node.MongoDBURI(), database, collection); err != nil {
				log.Fatal(err)
			}
		}()
	}
	if err := node.Run(stopped); err != nil && stopped.Err() == nil {
		log.Fatal(err)
	}
}

func create(waiting context.Context, uri, database, collection string) error {
	client, err := mongo.Connect(waiting, options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(waiting)
	return client.Database(database).CreateCollection(waiting, collection)
}
