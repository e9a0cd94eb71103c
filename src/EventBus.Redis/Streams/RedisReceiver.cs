using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription: creates the parts of the receive path, and starts and stops their loops.
/// The parts have no reference to the receiver.
/// </summary>
/// <remarks>
/// <para>
/// An entry moves in one direction. <see cref="RedisReadLoop"/> reads it, <see cref="EntryDispatcher"/> converts it,
/// and <see cref="UnackedEntries"/> holds it and offers its delivery to the bus. The settler of the delivery
/// (<see cref="UnackedEntry"/>) passes it to the <see cref="EntrySettler"/>, and a <see cref="RedisAckQueue"/>
/// acknowledges it.
/// <see cref="PendingEntryMaintenance"/> renews the entries that are held, and takes over those of dead consumers.
/// </para>
/// <para>
/// The loss of a connection does not end the ownership: entries stay pending for the consumer's name, and an
/// acknowledgement after the reconnection is still valid. Ownership ends when another consumer claims an entry, or when
/// it may have done so because renewing failed for too long.
/// </para>
/// </remarks>
internal sealed class RedisReceiver : Receiver
{
    private readonly RedisConsumer consumer;
    private readonly UnackedEntries entries = new();
    private readonly EntryReleaser releaser;
    private readonly EntrySettler settler;
    private readonly RedisReadLoop reading;
    private readonly PendingEntryMaintenance maintenance;
    private readonly RedisStreamDiscovery discovery;
    private readonly RedisLease? lease;
    private readonly RedisLeaseRenewer? leaseRenewer;
    private readonly RedisConsumerCount consumerCount;
    private readonly CancellationTokenSource stopIntake = new();
    private readonly CancellationTokenSource close = new();
    private readonly Lock gate = new();

    private Task readingEnded = Task.CompletedTask;
    private Task intakeEnded = Task.CompletedTask;
    private Task maintenanceEnded = Task.CompletedTask;
    private Task? stopping;
    private Task? closing;

    public RedisReceiver(RedisConsumer consumer)
    {
        this.consumer = consumer;
        releaser = new EntryReleaser(consumer, entries);
        discovery = new RedisStreamDiscovery(consumer);
        EntryDispatcher dispatcher;
        if (consumer.Subscription.Ordered)
        {
            var group = consumer.Group;
            lease = new RedisLease(group.Database, consumer.Names, group.Name, group.Consumer, consumer.ClaimAfter);
            var ordered = new OrderedEntrySettler(consumer, entries, lease, close.Token);
            settler = ordered;
            dispatcher = new EntryDispatcher(consumer, entries, settler);
            reading = new RedisOrderedReadLoop(consumer, entries, dispatcher, ordered, lease);
            leaseRenewer = new RedisLeaseRenewer(consumer, lease, ordered, reading);
        }
        else
        {
            var shared = new SharedEntrySettler(consumer, entries, releaser, close.Token);
            settler = shared;
            dispatcher = new EntryDispatcher(consumer, entries, settler);
            reading = new RedisSharedReadLoop(consumer, entries, dispatcher, shared);
        }

        consumerCount = new RedisConsumerCount(consumer, lease);
        maintenance = new PendingEntryMaintenance(consumer, entries, dispatcher, settler, reading);
    }

    public override ChannelReader<Delivery> Deliveries => entries.Deliveries;

    public string Subscription => consumer.Subscription.Name;

    public RedisGroup Group => consumer.Group;

    public bool IsStopping => stopIntake.IsCancellationRequested;

    /// <summary>The reason why no events are received; null if there is no problem.</summary>
    public string? Problem => readingEnded.IsCompleted ? "Reading has ended; start the application again." : reading.Problem;

    /// <summary>
    /// The problem that an operator should look at although events are received; null if there is none.
    /// </summary>
    public string? Warning =>
        consumer.Positions.Problem ?? settler.Problem ?? maintenance.Problem ?? leaseRenewer?.Problem ?? discovery.Problem;

    /// <summary>Starts the loops of the receiver.</summary>
    /// <param name="groupExists">
    /// True if the group exists. Otherwise it is created as soon as Redis answers, and begins with the entries added
    /// after that.
    /// </param>
    public void Start(bool groupExists)
    {
        // A subscription with a single stream never excludes it, and so has nothing to discover.
        var needsDiscovery = RedisTopology.IsOpen(consumer.Subscription) || consumer.Group.Streams.Count > 1;
        readingEnded = reading.RunAsync(groupExists, stopIntake.Token);
        var discoveryEnded = needsDiscovery ? discovery.RunAsync(stopIntake.Token) : Task.CompletedTask;
        intakeEnded = Task.WhenAll(readingEnded, maintenance.RunIntakeAsync(stopIntake.Token), discoveryEnded);
        maintenanceEnded = Task.WhenAll(maintenance.RunAsync(close.Token), leaseRenewer?.RunAsync(close.Token) ?? Task.CompletedTask);
    }

    /// <inheritdoc cref="RedisConsumerCount.OthersAsync"/>
    public Task<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(CancellationToken cancellationToken) =>
        consumerCount.OthersAsync(cancellationToken);

    public override async ValueTask StopIntakeAsync()
    {
        lock (gate)
        {
            stopping ??= StopAsync();
        }

        await stopping;
    }

    public override async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closing ??= CloseAsync();
        }

        await closing;
    }

    private async Task StopAsync()
    {
        settler.StopIntake();
        await stopIntake.CancelAsync();
        entries.StopIntake();
        await Task.WhenAll(consumer.Blocking.CloseAsync(), consumer.Bulk.CloseAsync(), intakeEnded)
            .WaitAsync(EntrySettler.CloseTimeout, consumer.Time)
            .Quietly();
        await settler.StopAsync();
    }

    private async Task CloseAsync()
    {
        var timeout = EntrySettler.CloseTimeout;
        var time = consumer.Time;
        try
        {
            await StopIntakeAsync();
            await settler.CompleteAcksAsync().WaitAsync(timeout, time);

            // In a shared subscription for the second time: the answer to a read may have arrived after the intake had
            // stopped.
            await releaser.ReleaseUnseenAsync().WaitAsync(timeout, time);
            await releaser.ReleaseAsync([.. entries.ToArray().Where(entry => entry.EndOwnership())]);
            if (lease is not null)
            {
                await lease.ReleaseAsync().WaitAsync(timeout, time);
            }

            await consumer.Members.LeaveAsync().WaitAsync(timeout, time);
        }
        catch (Exception exception)
        {
            consumer.LogNotReleased(exception);
        }
        finally
        {
            await close.CancelAsync();
            await Task.WhenAll(settler.CompleteAcksAsync(), maintenanceEnded).WaitAsync(timeout, time).Quietly();
            stopIntake.Dispose();
            close.Dispose();
        }
    }
}
