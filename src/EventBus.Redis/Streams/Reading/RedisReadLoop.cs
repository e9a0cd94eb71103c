using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Repeats the reads of a receiver until its intake stops. Before the first read and after each failure, it creates the
/// group where it is missing, and opens the connection.
/// </summary>
internal abstract class RedisReadLoop
{
    private readonly SupervisedLoop supervisor;

    // True as soon as the group was created or found.
    private volatile bool hasGroup;
    private bool isFailureLogged;

    protected RedisReadLoop(RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, EntrySettler settler)
    {
        Consumer = consumer;
        Entries = entries;
        Dispatcher = dispatcher;
        Settler = settler;
        supervisor = new SupervisedLoop($"reading for {consumer.Subscription.Name}", consumer.Time, consumer.Log, (logger, _, error) =>
        {
            isFailureLogged = true;
            logger.CannotRead(consumer.Subscription.Name, consumer.Connector.Address.Explain(error));
        })
        {
            FirstDelay = RedisConnector.FirstRetryDelay,
        };
    }

    /// <summary>The reason why no entries are received; null if there is no problem.</summary>
    public string? Problem => (supervisor.LastError is { } error ? Consumer.Connector.Address.Explain(error).Message : null)
        ?? (hasGroup ? null : "Its consumer group was not created yet.");

    protected RedisConsumer Consumer { get; }

    protected UnackedEntries Entries { get; }

    protected EntryDispatcher Dispatcher { get; }

    protected EntrySettler Settler { get; }

    /// <summary>Reads until the loop is stopped.</summary>
    /// <param name="groupExists">
    /// True if the group exists. Otherwise it is created as soon as Redis answers, and begins with the entries added
    /// after that.
    /// </param>
    /// <param name="stop">Ends the loop.</param>
    public Task RunAsync(bool groupExists, CancellationToken stop)
    {
        hasGroup = groupExists;
        return supervisor.RepeatAsync(PrepareAsync, ReadAsync, stop);
    }

    /// <summary>
    /// Resumes after a failure. If an answer was lost with its connection, its entries are pending for this consumer,
    /// but were not delivered to the bus.
    /// </summary>
    protected abstract Task ResumeAsync(CancellationToken stop);

    /// <summary>Reads once: waits for entries and delivers them.</summary>
    /// <param name="blocking">The connection for commands that wait at the server.</param>
    /// <param name="stop">Cancels the wait.</param>
    protected abstract Task ReadAsync(IDatabase blocking, CancellationToken stop);

    /// <summary>Waits for a while, because no stream is known yet.</summary>
    protected Task WaitForStreamAsync(CancellationToken stop) => Task.Delay(RedisConnector.BlockTime, Consumer.Time, stop);

    private async Task<IDatabase> PrepareAsync(CancellationToken stop)
    {
        var failure = supervisor.LastError;
        if (failure is not null)
        {
            await RepairAsync(failure, stop);
        }

        if (!hasGroup)
        {
            await Consumer.Positions.CreateAsync(existed: false, stop);
            hasGroup = true;
        }

        if (failure is not null)
        {
            await Consumer.Connector.AnswerAsync(Consumer.Positions.DetectDataLossAsync(), stop);
            await ResumeAsync(stop);
        }

        var blocking = await Consumer.Blocking.GetAsync(stop);
        if (isFailureLogged)
        {
            // The health check reports no problem when the log says that reading works again.
            isFailureLogged = false;
            supervisor.Succeeded();
            Consumer.Log.BackInReach(Consumer.Subscription.Name);
        }

        return blocking;
    }

    /// <summary>Creates the group where it is missing, or excludes streams that cannot be read.</summary>
    private async Task RepairAsync(Exception failure, CancellationToken stop)
    {
        if (RedisErrors.IsGroupMissing(failure))
        {
            await Consumer.Positions.CreateAsync(existed: true, stop);
            Settler.GroupsRecreated();
        }
        else if (RedisErrors.IsOfKey(failure))
        {
            await Consumer.Connector.AnswerAsync(Consumer.Positions.ExcludeUnusableKeysAsync(), stop);
        }
    }
}
