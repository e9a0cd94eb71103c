using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Sends records with a producer, tracks their reports, and replaces the producer after a fatal error. Thread-safe, but
/// the records of a call are sent by one thread at a time.
/// </summary>
internal sealed class KafkaSender(KafkaConnector connector, KafkaTopics topics, ClusterReach reach) : IAsyncDisposable
{
    private readonly SendSignal broken = new();
    private volatile KafkaProducer? producer;
    private volatile Exception? buildError;

    private string Address => connector.Address;

    private ILogger ReportLog => connector.Log;

    /// <summary>Runs when something that blocked may be over.</summary>
    public Action Unblocked { get; set; } = static () => { };

    /// <summary>The last error of the producer; null for none.</summary>
    public Error? LastError => producer is { } current ? current.FatalError ?? current.LastError : null;

    /// <summary>The error because of which nothing can be sent; null if there is none.</summary>
    public string? Failure => producer switch
    {
        null => KafkaErrors.CauseOf(buildError) ?? "The producer is being created.",
        { FatalError: { } fatal } => KafkaErrors.CauseOf(fatal),
        _ => null,
    };

    /// <summary>Sends the prepared events of a call from <see cref="PublishCall.Next"/> on.</summary>
    /// <returns>False if one of them cannot be sent yet. Then call it again later.</returns>
    public bool TrySend(PublishCall call)
    {
        while (call.Next < call.Prepared)
        {
            if (call.IsDue(call.Next) && !TrySendNext(call))
            {
                return false;
            }

            call.Next++;
        }

        return true;
    }

    /// <summary>Gets the topic that the next event of a call waits for; null for none.</summary>
    public string? MissingTopicOf(PublishCall call)
    {
        if (!reach.IsOpen || call.Next == call.Count || !call.IsDue(call.Next))
        {
            return null;
        }

        var topic = call.RecordAt(call.Next).Topic;
        return topics.IsKnown(topic) ? null : topic;
    }

    /// <summary>Creates the producer, and a new one whenever it has a fatal error. Never throws.</summary>
    public Task RunAsync(CancellationToken stop)
    {
        reach.Opened = () => Unblocked();
        var loop = new SupervisedLoop(
            "producing",
            connector.Time,
            connector.Log,
            static (log, delay, exception) => log.ProducerReplaced(KafkaErrors.CauseOf(exception) ?? "", delay, exception));
        return loop.RunAsync(ProduceAsync, stop);

        async Task ProduceAsync(CancellationToken stopped)
        {
            producer = Build();
            buildError = null;
            loop.Succeeded();
            Unblocked();
            do
            {
                await broken.WaitAsync(stopped);
            }
            while (producer is { FatalError: null });

            if (producer is not { } old)
            {
                // The publisher is being disposed.
                return;
            }

            producer = null;
            buildError = new KafkaException(old.FatalError);

            // The outcomes of what it has not sent come before it is closed.
            await old.DisposeAsync();
            throw buildError;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref producer, null) is { } last)
        {
            await last.DisposeAsync();
        }
    }

    private KafkaProducer Build()
    {
        try
        {
            return new KafkaProducer(connector, error =>
            {
                reach.Report(error);
                if (error.IsFatal)
                {
                    broken.Give();
                }
            });
        }
        catch (Exception exception)
        {
            buildError = exception;
            throw;
        }
    }

    private bool TrySendNext(PublishCall call)
    {
        ref readonly var record = ref call.RecordAt(call.Next);
        if (producer is not { FatalError: null } current
            || !reach.IsOpen
            || !topics.IsKnown(record.Topic)
            || !current.Budget.TryTake(record.Topic, record.Size))
        {
            return false;
        }

        if (!call.TryBeginSend(call.Next))
        {
            Return(current, record);
            return true;
        }

        try
        {
            current.Send(record, new SentRecord(this, current, call, call.Next).Report);
            return true;
        }
        catch (ObjectDisposedException)
        {
            // The producer was replaced at this moment: the next one sends the event.
            call.UndoSend(call.Next);
            return false;
        }
        catch (KafkaException exception)
        {
            Return(current, record);
            if (exception.Error.Code == ErrorCode.Local_QueueFull)
            {
                call.UndoSend(call.Next);
                return false;
            }

            call.Report(call.Next, KafkaOutcomes.NotSent(exception.Error, record, connector.Address));
            return true;
        }
    }

    private void Ended(KafkaProducer by, in KafkaRecord record, Error error)
    {
        Return(by, record);
        if (!error.IsError)
        {
            by.Succeeded();
        }
        else if (KafkaErrors.IsMissingTopic(error.Code))
        {
            topics.Forget(record.Topic);
        }

        if (error.IsError)
        {
            Unblocked();
        }
    }

    private void Return(KafkaProducer by, in KafkaRecord record)
    {
        if (by.Budget.Return(record.Topic, record.Size))
        {
            Unblocked();
        }
    }

    private sealed class SentRecord(KafkaSender owner, KafkaProducer producer, PublishCall call, int index)
    {
        /// <summary>Receives the report, on a thread of the client, which an exception would end.</summary>
        public void Report(DeliveryReport<byte[]?, byte[]> report)
        {
            try
            {
                ref readonly var record = ref call.RecordAt(index);
                call.Report(index, KafkaOutcomes.Of(report.Status, report.Error, record, owner.Address));
                owner.Ended(producer, record, report.Error);
            }
            catch (Exception exception)
            {
                owner.ReportLog.ReportFailed(exception);
            }
        }
    }
}
