using EventBus.Stores;
using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Takes what the broker itself gave up off its queue, one event at a time. Never throws because of the broker.</summary>
/// <remarks>
/// Behind this queue there is no other, so nothing may loop here. On the bus's own connections every message can be read. Where the application shares its own, a message that cuts it is not asked for again
/// for a while.
/// </remarks>
/// <param name="connector">The connections.</param>
/// <param name="names">The names of the queues.</param>
/// <param name="subscriptions">The subscriptions of this application.</param>
/// <param name="time">The clock.</param>
internal sealed class RabbitMqGivenUp(RabbitMqConnector connector, RabbitMqTopology names, IReadOnlyList<string> subscriptions, TimeProvider time) : IAsyncDisposable
{
    private const ushort NotFound = 404;

    // Which subscription a message was meant for that nobody gave up and the bus did not write.
    private const string Unknown = "unknown";

    private static readonly TimeSpan Refused = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Poisoned = TimeSpan.FromMinutes(10);

    private readonly RabbitMqPuller puller = new(connector);
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);
    private DateTimeOffset notBefore;
    private volatile string? problem;

    /// <summary>Why the queue cannot be read; null when it can, as far as is known.</summary>
    public string? Problem => problem;

    /// <summary>With a store beside the broker, what is in the queue of dead letters goes to the store as well.</summary>
    private IEnumerable<string> Queues => connector.KeepsFailures ? [names.GivenUpQueue] : [names.GivenUpQueue, names.DeadLetterQueue];

    public async ValueTask<GivenUp?> TakeAsync(CancellationToken cancellationToken)
    {
        if (time.GetUtcNow() < notBefore || !connector.Consuming.IsOpen)
        {
            return null;
        }

        foreach (var queue in Queues)
        {
            try
            {
                if (await puller.GetAsync(queue, cancellationToken) is { } pulled)
                {
                    return Read(pulled);
                }

                problem = null;
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == NotFound)
            {
                await RestoreAsync(queue, cancellationToken);
            }
            catch (OperationInterruptedException exception) when (RabbitMqRefusal.IsRefusal(exception))
            {
                Report($"The queue '{queue}' cannot be read, so that what RabbitMQ itself gives up is not kept as a dead letter: {RabbitMqRefusal.CauseOf(exception)} Grant this user the permission to read it.", Refused);
            }
            catch (Exception exception) when (RabbitMqRefusal.IsUnreadable(exception))
            {
                Report($"The connection was cut by a message that the client cannot read, perhaps in the queue '{queue}', which is not read for {Poisoned.TotalMinutes:0} minutes. Take it out with the tools of the broker: {RabbitMqRefusal.CauseOf(exception)}", Poisoned);
            }
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
            {
                // The connection is lost, which others report.
            }
        }

        return null;
    }

    public ValueTask DisposeAsync() => puller.DisposeAsync();

    private GivenUp Read(Pulled pulled)
    {
        var entry = RabbitMqFailureFormat.Read(pulled.Message, names, subscriptions, FailedEventStatus.Dead);
        return new GivenUp(
            entry.Subscription.Length > 0 ? entry.Subscription : Unknown, entry.Reason, entry.Error ?? "It was found in the queue of dead letters.", new Delivery(entry.Envelope, new Settler(pulled)));
    }

    private async Task RestoreAsync(string queue, CancellationToken cancellationToken)
    {
        var live = await connector.Consuming.ConnectionAsync(cancellationToken);
        await provisioner.RestoreAsync(live, names.GivenUpThings);
        if (connector.Options.Provision != RabbitMqProvision.Create)
        {
            Report($"The queue '{queue}' is missing, so that what RabbitMQ itself gives up has nowhere to go. Create it.", Refused);
        }
    }

    private void Report(string text, TimeSpan pause)
    {
        notBefore = time.GetUtcNow() + pause;
        if (problem != text)
        {
            problem = text;
            connector.Log.GivenUpUnread(text);
        }
    }

    private sealed class Settler(Pulled pulled) : IDeliverySettler
    {
        public ValueTask AckAsync(in Delivery delivery) => Quietly(pulled.AckAsync());

        public ValueTask ReleaseAsync(in Delivery delivery) => Quietly(pulled.ReleaseAsync());

        // What could not be settled comes again.
        private static async ValueTask Quietly(Task settling) => await settling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }
}
