using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Reads entries for a receiver until its intake stops. Continues after outages and after the loss of a group.
/// </summary>
internal abstract class RedisReadLoop(RedisReceiver receiver, RedisConsumer member)
{
    private readonly string activity = $"reading for {member.Subscription.Name}";
    private volatile string? complaint;

    /// <summary>The reason why no entries are received; null if there is no problem.</summary>
    public string? Complaint => complaint;

    protected RedisReceiver Receiver => receiver;

    protected RedisConsumer Member => member;

    /// <param name="live">
    /// True if the group exists. Otherwise it is created as soon as Redis answers, and begins with the entries added
    /// after that.
    /// </param>
    /// <param name="stop">Ends the loop.</param>
    public async Task RunAsync(bool live, CancellationToken stop)
    {
        complaint = live ? null : "Its consumer group is not there yet.";
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var (failures, interrupted, isTold) = (0, false, false);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (!live)
                {
                    await member.Place.CreateAsync(existed: false, stop);
                    live = true;
                }

                if (interrupted)
                {
                    await member.Connector.AnswerAsync(member.Place.CheckAsync(), stop);
                    await ResumeAsync(stop);
                    interrupted = false;
                }

                member.Log.Working(activity);
                if (isTold)
                {
                    isTold = false;
                    member.Log.BackInReach(member.Subscription.Name);
                }

                complaint = null;

                // Without a known stream, waits until the first one appears.
                await (member.Group.Streams.Count > 0 ? PassAsync(stop) : Task.Delay(RedisConnector.Block, member.Names.Time, stop));
                failures = 0;
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // The error does not matter: this process has closed the connection.
                return;
            }
            catch (Exception exception)
            {
                complaint = exception.Message;
                isTold |= member.Log.Failing(activity, exception, full => full.CannotRead(member.Subscription.Name, exception));
                interrupted = true;
                await RecoverAsync(exception, ++failures, stop);
            }
        }
    }

    /// <summary>Handles the release of a delivery.</summary>
    public abstract ValueTask ReleaseAsync(UnackedEntry entry);

    /// <summary>Runs before a delivery is acknowledged.</summary>
    public virtual void Settling()
    {
    }

    /// <summary>Handles entries that another consumer owns or that no longer exist.</summary>
    public abstract void Lose(IEnumerable<UnackedEntry> entries);

    /// <summary>
    /// Resumes after a failure. A reply that was lost with its connection left entries pending that this instance has
    /// not seen.
    /// </summary>
    protected abstract Task ResumeAsync(CancellationToken stop);

    protected abstract Task PassAsync(CancellationToken stop);

    /// <summary>Runs after the groups were created again: no consumer owns the delivered entries.</summary>
    protected virtual void GroupsRecreated()
    {
    }

    private async Task RecoverAsync(Exception exception, int failures, CancellationToken stop)
    {
        try
        {
            var isRecovered = false;
            if (RedisErrors.IsGone(exception))
            {
                await member.Place.CreateAsync(existed: true, stop);
                GroupsRecreated();
                isRecovered = true;
            }
            else if (RedisErrors.IsOfKey(exception))
            {
                isRecovered = await member.Connector.AnswerAsync(member.Place.LeaveOutStrayKeysAsync(), stop);
            }

            // A repair that does not last is followed by a wait, like any other failure.
            if (isRecovered && failures == 1)
            {
                return;
            }
        }
        catch (Exception)
        {
            // The next pass of the loop encounters the error again, or the loop ends.
        }

        await Task.Delay(RedisBackoff.After(failures), member.Names.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
