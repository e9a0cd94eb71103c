using EventBus.Stores;
using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Takes events that the broker dead-lettered by itself from their queues, one at a time. Does not throw errors of the
/// broker.
/// </summary>
/// <remarks>
/// The broker does not remove a message from these queues, however often it is delivered, so a message that closes the
/// connection must not be read again and again. On connections that the bus creates, every message can be read. On a
/// connection that the application shares, a message that the client cannot read closes the connection; its queue is
/// then not read for 10 minutes.
/// </remarks>
/// <param name="connector">The connections.</param>
/// <param name="topology">The names of the queues.</param>
/// <param name="subscriptions">The subscriptions of this application.</param>
/// <param name="time">The clock.</param>
internal sealed class RabbitMqBrokerDeadLetters(
    RabbitMqConnector connector,
    RabbitMqTopology topology,
    IReadOnlyList<string> subscriptions,
    TimeProvider time) : IAsyncDisposable
{
    // The subscription of a message that another program has put into the queue.
    private const string Unknown = "unknown";

    private static readonly TimeSpan RefusalPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan UnreadablePause = TimeSpan.FromMinutes(10);

    private readonly RabbitMqQueueReader reader = new(connector);
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);

    private readonly BrokerDeadLetterSource[] sources = BrokerDeadLetterSource.Create(topology, connector.KeepsFailures);

    /// <summary>The reason why a queue cannot be read; null if no problem is known.</summary>
    public string? Problem => sources.Select(source => source.Problem).FirstOrDefault(problem => problem is not null);

    public async ValueTask<BrokerDeadLetter?> TakeAsync(CancellationToken cancellationToken)
    {
        if (!connector.Consuming.IsOpen)
        {
            return null;
        }

        foreach (var source in sources.Where(source => time.GetElapsedTime(source.PausedAt) >= source.Pause))
        {
            try
            {
                var pulled = await GetAsync(source, cancellationToken);
                if (pulled is not null)
                {
                    return ToBrokerDeadLetter(pulled);
                }
            }
            catch (OperationInterruptedException exception) when (RabbitMqErrors.IsRefusal(exception))
            {
                Report(
                    source,
                    $"The queue '{source.Queue}' cannot be read: {RabbitMqErrors.CauseOf(exception)} {source.IfUnread} Grant this user "
                        + "the permission to read it.",
                    RefusalPause);
            }
            catch (Exception exception) when (RabbitMqErrors.IsUnreadable(exception))
            {
                Report(
                    source,
                    $"The connection was closed: {RabbitMqErrors.CauseOf(exception)} Perhaps the client cannot read a message in the "
                        + $"queue '{source.Queue}'. The queue is not read for {UnreadablePause.TotalMinutes:0} minutes. Take the message "
                        + "out with the tools of the broker.",
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

    /// <summary>
    /// Takes a message from a queue; null if the queue is empty or missing. Creates a missing queue, or reports it if
    /// the bus may not create it.
    /// </summary>
    private async Task<PulledMessage?> GetAsync(BrokerDeadLetterSource source, CancellationToken cancellationToken)
    {
        try
        {
            var pulled = await reader.GetAsync(source.Queue, cancellationToken);
            source.Problem = null;
            return pulled;
        }
        catch (OperationInterruptedException exception) when (RabbitMqErrors.IsMissing(exception))
        {
            if (connector.Options.Provisioning != RabbitMqProvisioning.Create)
            {
                Report(source, $"The queue '{source.Queue}' is missing. {source.IfMissing} Create it.", RefusalPause);
                return null;
            }

            var session = await connector.Consuming.ConnectionAsync(cancellationToken);
            await provisioner.TryRestoreAsync(session, topology.BrokerDeadLetterEntities);
            return null;
        }
    }

    private BrokerDeadLetter ToBrokerDeadLetter(PulledMessage pulled)
    {
        var entry = RabbitMqFailureFormat.Read(pulled.Message, topology, subscriptions, FailedEventStatus.Dead);
        return new BrokerDeadLetter(
            entry.Subscription.Length > 0 ? entry.Subscription : Unknown,
            entry.Reason,
            entry.Error ?? "The message was in a queue of dead letters, and describes no error.",
            new Delivery(entry.Envelope, new PulledMessageSettler(pulled)));
    }

    private void Report(BrokerDeadLetterSource source, string problem, TimeSpan pause)
    {
        source.PausedAt = time.GetTimestamp();
        source.Pause = pause;
        if (source.Problem != problem)
        {
            source.Problem = problem;
            connector.Log.BrokerDeadLettersUnreadable(problem);
        }
    }
}
