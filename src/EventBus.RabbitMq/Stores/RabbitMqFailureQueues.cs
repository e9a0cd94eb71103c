using EventBus.Stores;
using RabbitMQ.Client.Exceptions;
using RabbitMqPublishException = RabbitMQ.Client.Exceptions.PublishException;

namespace EventBus;

/// <summary>
/// Gives access to the queues of retries, dead letters and alerts: creates them when they are missing, sends entries to
/// them and counts them.
/// </summary>
internal sealed class RabbitMqFailureQueues(RabbitMqConnector connector) : IAsyncDisposable
{
    private readonly RabbitMqQueueWriter sender = new(connector);
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);
    private RabbitMqTopology? topology;
    private StoreSetup? setup;
    private volatile bool prepared;

    public bool IsOpen => topology is not null;

    public RabbitMqTopology Topology => topology ?? throw NotOpen();

    public StoreSetup Setup => setup ?? throw NotOpen();

    public async ValueTask OpenAsync(StoreSetup storeSetup, CancellationToken cancellationToken)
    {
        setup = storeSetup;
        topology = new RabbitMqTopology(storeSetup.ServiceName, connector.Options);
        topology.CheckNames(storeSetup.Subscriptions, keepsFailures: true);
        connector.Acquire(storeSetup.ServiceName, storeSetup.TimeProvider);
        connector.KeepsFailures = true;
        try
        {
            var connecting = connector.Publishing.ConnectionAsync(cancellationToken);
            if (!storeSetup.FailFast && await Task.WhenAny(connecting, connector.Publishing.Failed) != connecting)
            {
                // The first connection failed. The transport, which opens next, reports it. Missing queues are created
                // before their first use.
                return;
            }

            // An application without subscriptions has no failures, so it should not need the permissions to create
            // these queues. Calls that access dead letters create the queues when needed.
            if (storeSetup.Subscriptions.Count > 0)
            {
                await PrepareAsync(cancellationToken);
            }
        }
        catch (Exception exception)
            when (!storeSetup.FailFast && exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            // The connection was lost in the meantime: missing queues are created before their first use.
        }
        catch (Exception exception) when (exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            throw new EventBusException(
                $"RabbitMQ at {connector.Address} was not ready within {connector.Options.CallTimeout}: "
                + $"{RabbitMqErrors.CauseOf(connector.Publishing.LastError ?? exception)} Check that it runs, and the user, the password "
                + "and the virtual host.",
                exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        topology = null;
        await sender.DisposeAsync();
        await connector.ReleaseAsync();
    }

    /// <summary>Creates the queues if they are not known to exist.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (!prepared)
        {
            var session = await connector.Publishing.ConnectionAsync(cancellationToken)
                .WaitAsync(connector.Options.CallTimeout, Setup.TimeProvider, cancellationToken);
            await provisioner.PrepareAsync(session, Topology.FailureEntities(Setup.Subscriptions));
            prepared = true;
        }
    }

    /// <summary>Sends an entry to a queue. Completes when the broker has confirmed it.</summary>
    /// <exception cref="StoreRefusedException">The broker refused or returned it.</exception>
    public Task SendAsync(string queue, FailedEvent entry, CancellationToken cancellationToken) =>
        SendAsync("", queue, entry, cancellationToken);

    /// <summary>Sends an entry to an exchange. Completes when the broker has confirmed it.</summary>
    /// <exception cref="StoreRefusedException">The broker refused or returned it.</exception>
    public Task SendAsync(string exchange, string routingKey, FailedEvent entry, CancellationToken cancellationToken) =>
        SendAsync(exchange, routingKey, entry, entry.Envelope.Body, cancellationToken);

    /// <summary>Sends an entry, without its body and details, to the queue of alerts.</summary>
    /// <exception cref="StoreRefusedException">The broker refused or returned it.</exception>
    public Task SendAlertAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        SendAsync("", Topology.AlertQueue, entry with { ErrorDetails = null }, ReadOnlyMemory<byte>.Empty, cancellationToken);

    private async Task SendAsync(
        string exchange,
        string routingKey,
        FailedEvent entry,
        ReadOnlyMemory<byte> body,
        CancellationToken cancellationToken)
    {
        try
        {
            await sender.SendAsync(
                exchange,
                routingKey,
                maxFrame => RabbitMqFailureFormat.Write(entry, Topology.ServiceName, maxFrame),
                body,
                cancellationToken);
        }
        catch (RabbitMqPublishException exception)
        {
            // The message was refused or returned: a queue may have been deleted. The next call checks the queues.
            prepared = false;

            // A waiting queue has the name of its exchange; the default exchange has none, and its key is the queue.
            var queue = exchange.Length > 0 ? exchange : routingKey;

            // A retry queue that is full blocks only its subscription. All subscriptions use the other queues.
            var isRetryQueue = queue == Topology.RetryQueueOf(entry.Subscription);
            throw new StoreRefusedException(
                isRetryQueue && !exception.IsReturn ? StoreScope.Subscription : StoreScope.Store,
                $"RabbitMQ did not accept the message sent to the queue '{queue}', because the queue is full, unavailable or deleted. "
                    + "Check the state and the length limit of the queue.",
                exception);
        }
        catch (OperationInterruptedException)
        {
            // The broker closes the channel if the exchange is missing. The next call creates the exchange again.
            prepared = false;
            throw;
        }
    }

    /// <summary>
    /// Awaits a call that uses a queue. If the queue is missing, the broker closes the channel, and the queue is
    /// created again before the next call.
    /// </summary>
    public async Task<T> AwaitAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (OperationInterruptedException)
        {
            prepared = false;
            throw;
        }
    }

    public async Task<long> CountAsync(string queue, CancellationToken cancellationToken)
    {
        await using var reader = new RabbitMqQueueReader(connector);
        return await AwaitAsync(reader.CountAsync(queue, cancellationToken));
    }

    private static InvalidOperationException NotOpen() => new("The stores are not open.");
}
