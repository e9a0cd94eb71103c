using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Checks every 3 seconds that all required entities exist on the broker, and recreates missing ones if the bus may.
/// </summary>
/// <remarks>
/// <para>Deleting a binding does not cancel a consumer, and AMQP cannot list bindings. They are declared again each
/// time.</para>
/// <para>A queue that this bus consumes is only bound and never created here: its receiver creates it. If a deleted
/// queue were created again before the broker has cancelled its consumer, the receiver might not notice that
/// (<see cref="LostConsumerWatch"/>).</para>
/// </remarks>
/// <param name="link">The connection.</param>
/// <param name="entities">The required entities.</param>
/// <param name="consumed">The names of the queues that receivers of this bus consume.</param>
/// <param name="options">Defines whether missing entities are created or only reported.</param>
/// <param name="time">The clock.</param>
internal sealed class RabbitMqTopologyMonitor(
    SupervisedConnection link,
    IReadOnlyList<RabbitMqEntity> entities,
    IReadOnlySet<string> consumed,
    RabbitMqOptions options,
    TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stop = new();
    private volatile string? problem;
    private Task loop = Task.CompletedTask;

    /// <summary>
    /// The description of an entity that is missing, or that cannot be created or checked; null if there is none.
    /// </summary>
    public string? Problem => problem;

    public void Start()
    {
        if (options.Provisioning != RabbitMqProvisioning.Off && entities.Count > 0)
        {
            loop = RunAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).Quietly();
    }

    private async Task RunAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(Interval, time, stop.Token).Quietly();
            try
            {
                problem = await RestoreAsync(await link.ConnectionAsync(stop.Token));
            }
            catch (Exception)
            {
                // The monitor is stopped, or the connection is lost; other components report the loss.
            }
        }
    }

    /// <summary>Restores or only checks all entities.</summary>
    /// <returns>The description of the first problem; null if there is none.</returns>
    private async Task<string?> RestoreAsync(ConnectionSession session)
    {
        string? found = null;
        var next = 0;
        while (next < entities.Count)
        {
            // A refusal closes the channel. The remaining entities are checked on another one.
            var channel = await session.OpenChannelAsync();
            try
            {
                // Each entity has its own deadline, because there may be thousands.
                while (next < entities.Count)
                {
                    await session.CallAsync(RestoreOrCheckAsync(entities[next], channel));
                    next++;
                }
            }
            catch (OperationInterruptedException exception) when (IsCreatedByReceiver(entities[next], exception))
            {
                // The broker cancels the consumer, and its receiver creates the queue and reports its own errors.
                next++;
            }
            catch (OperationInterruptedException exception) when (RabbitMqErrors.IsChannelError(exception))
            {
                var state = RabbitMqErrors.IsMissing(exception) ? "is missing" : "cannot be created or checked";
                found ??= $"{entities[next].Title} {state}: {RabbitMqErrors.CauseOf(exception)}";
                next++;
            }
            finally
            {
                _ = channel.DiscardAsync();
            }
        }

        return found;
    }

    private Task RestoreOrCheckAsync(RabbitMqEntity entity, IChannel channel) => options.Provisioning switch
    {
        RabbitMqProvisioning.Create when IsConsumed(entity) => entity.BindAsync(channel),
        RabbitMqProvisioning.Create => entity.DeclareAsync(channel),
        _ => entity.FindAsync(channel),
    };

    private bool IsCreatedByReceiver(RabbitMqEntity entity, OperationInterruptedException exception) =>
        options.Provisioning == RabbitMqProvisioning.Create && IsConsumed(entity) && RabbitMqErrors.IsMissing(exception);

    private bool IsConsumed(RabbitMqEntity entity) => entity.ExchangeType is null && consumed.Contains(entity.Name);
}
