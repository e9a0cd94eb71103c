using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>One producer of the client. After a fatal error it can send nothing more, and is replaced.</summary>
internal sealed class KafkaProducer : IAsyncDisposable
{
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(1);

    private readonly IProducer<byte[]?, byte[]> producer;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly KafkaClientEvents events;
    private volatile Error? fatalError;

    /// <summary>Creates the producer. It connects by itself.</summary>
    /// <param name="connector">The settings, the clock and the log.</param>
    /// <param name="reported">Runs at each error of the client, on one of its threads.</param>
    public KafkaProducer(KafkaConnector connector, Action<Error> reported)
    {
        time = connector.Time;
        log = connector.Log;
        Budget = new SendBudget(connector.Options.MaxUnconfirmed, connector.Options.MaxUnconfirmedBytes);
        events = new KafkaClientEvents("producer", log)
        {
            Reported = error =>
            {
                if (error.IsFatal)
                {
                    fatalError = error;
                }

                reported(error);
            },
        };
        producer = new ProducerBuilder<byte[]?, byte[]>(connector.Settings.ForProducer())
            .SetErrorHandler((_, error) => events.Report(error))
            .SetLogHandler((_, message) => events.Log(message))
            .Build();
    }

    /// <summary>
    /// Limits what it has sent and is not answered. It ends with the producer: what is in flight when a producer is
    /// closed is never reported, and must not take the room of the next one.
    /// </summary>
    public SendBudget Budget { get; }

    /// <summary>The error after which it can send nothing more; null for none.</summary>
    public Error? FatalError => fatalError;

    /// <summary>The last error since the last success; null for none.</summary>
    public Error? LastError => events.LastError;

    /// <summary>Reports that the cluster has answered.</summary>
    public void Succeeded() => events.Succeeded();

    /// <summary>Sends a record: hands it to the client, which sends it in the order of the calls.</summary>
    /// <param name="record">The record.</param>
    /// <param name="reported">Receives the report, on a thread of the client. It must not throw.</param>
    /// <exception cref="KafkaException">The client did not take the record.</exception>
    public void Send(in KafkaRecord record, Action<DeliveryReport<byte[]?, byte[]>> reported) =>
        producer.Produce(record.Topic, record.Message, reported);

    /// <summary>Sends what is waiting, for a limited time, and closes the client.</summary>
    public async ValueTask DisposeAsync()
    {
        var flushed = KafkaThreads.RunAsync("flush", () => producer.Flush(FlushTimeout));
        await EventBus.Transports.BackendTasks.Quietly(flushed.WaitAsync(2 * FlushTimeout, time));
        await KafkaThreads.DisposeAsync(producer, "producer", time, log);
    }
}
