using EventBus.Stores;
using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Takes events that the broker dead-lettered by itself from their queues, one at a time. Does not throw errors of the
/// broker.
/// </summary>
/// <remarks>
/// These queues have no dead-letter queue of their own, so no message may loop here. On connections that the bus
/// creates, every message can be read. On a connection that the application shares, a message that the client cannot
/// read closes the connection; its queue is then not read for 10 minutes.
/// </remarks>
/// <param name="connector">The connections.</param>
/// <param name="names">The names of the queues.</param>
/// <param name="subscriptions">The subscriptions of this application.</param>
/// <param name="time">The clock.</param>
internal sealed class RabbitMqBrokerDeadLetters(
    RabbitMqConnector connector,
    RabbitMqTopology names,
    IReadOnlyList<string> subscriptions,
    TimeProvider time) : IAsyncDisposable
{
    private const ushort NotFound = 404;

    // The subscription of a message that neither the broker nor the bus has put into the queue.
    private const string Unknown = "unknown";

    private static readonly TimeSpan RefusalPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan UnreadablePause = TimeSpan.FromMinutes(10);

    private readonly RabbitMqQueueReader reader = new(connector);
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);

    // If a store is configured in addition to the broker, messages in the dead-letter queue move to the store as well.
    private readonly QueueState[] sources = connector.KeepsFailures
        ? [new(names.BrokerDeadLetterQueue)]
        : [new(names.BrokerDeadLetterQueue), new(names.DeadLetterQueue)];

    /// <summary>The reason why a queue cannot be read; null if no problem is known.</summary>
    public string? Problem => sources.Select(source => source.Problem).FirstOrDefault(problem => problem is not null);

    public async ValueTask<BrokerDeadLetter?> TakeAsync(CancellationToken cancellationToken)
    {
        if (!connector.Consuming.IsOpen)
        {
            return null;
        }

        foreach (var source in sources.Where(source => time.GetElapsedTime(source.RefusedAt) >= source.Pause))
        {
            try
            {
                var pulled = await reader.GetAsync(source.Queue, cancellationToken);
                source.Problem = null;
                if (pulled is not null)
                {
                    return Read(pulled);
                }
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == NotFound)
            {
                await RestoreAsync(source, cancellationToken);
            }
            catch (OperationInterruptedException exception) when (RabbitMqErrors.IsRefusal(exception))
            {
                Report(
                    source,
                    $"The queue '{source.Queue}' cannot be read, so that events that RabbitMQ itself dead-letters are not "
                        + $"kept as dead letters: {RabbitMqErrors.CauseOf(exception)} Grant this user the permission to read it.",
                    RefusalPause);
            }
            catch (Exception exception) when (RabbitMqErrors.IsUnreadable(exception))
            {
                Report(
                    source,
                    "The connection was closed by a message that the client cannot read, perhaps in the queue "
                        + $"'{source.Queue}', which is not read for {UnreadablePause.TotalMinutes:0} minutes. Take it out with the tools "
                        + $"of the broker: {RabbitMqErrors.CauseOf(exception)}",
                    UnreadablePause);
            }
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
            {
                // The connection is lost; other components report it.
            }
        }

        return null;
    }

    public ValueTask DisposeAsync() => reader.DisposeAsync();

    private BrokerDeadLetter Read(PulledMessage pulled)
    {
        var entry = RabbitMqFailureFormat.Read(pulled.Message, names, subscriptions, FailedEventStatus.Dead);
        return new BrokerDeadLetter(
            entry.Subscription.Length > 0 ? entry.Subscription : Unknown,
            entry.Reason,
            entry.Error ?? "It was found in the queue of dead letters.",
            new Delivery(entry.Envelope, new Settler(pulled)));
    }

    private async Task RestoreAsync(QueueState source, CancellationToken cancellationToken)
    {
        var session = await connector.Consuming.ConnectionAsync(cancellationToken);
        await provisioner.RestoreAsync(session, names.BrokerDeadLetterEntities);
        if (connector.Options.Provisioning != RabbitMqProvisioning.Create)
        {
            Report(
                source,
                $"The queue '{source.Queue}' is missing, so that events that RabbitMQ itself dead-letters are lost. Create it.",
                RefusalPause);
        }
    }

    private void Report(QueueState source, string text, TimeSpan pause)
    {
        (source.RefusedAt, source.Pause) = (time.GetTimestamp(), pause);
        if (source.Problem != text)
        {
            source.Problem = text;
            connector.Log.BrokerDeadLettersUnreadable(text);
        }
    }

    /// <summary>Holds the state of a queue that is read.</summary>
    private sealed class QueueState(string queue)
    {
        private volatile string? problem;

        public string Queue => queue;

        /// <summary>The reason why the queue cannot be read; null if no problem is known.</summary>
        public string? Problem
        {
            get => problem;
            set => problem = value;
        }

        /// <summary>The timestamp at which the problem was found.</summary>
        public long RefusedAt { get; set; }

        /// <summary>The time for which the queue is not read after a problem.</summary>
        public TimeSpan Pause { get; set; }
    }

    private sealed class Settler(PulledMessage pulled) : IDeliverySettler
    {
        public ValueTask AckAsync(in Delivery delivery) => SettleAsync(pulled.AckAsync());

        public ValueTask ReleaseAsync(in Delivery delivery) => SettleAsync(pulled.ReleaseAsync());

        // A message that could not be settled is delivered again.
        private static async ValueTask SettleAsync(Task settling) => await settling.Quietly();
    }
}
