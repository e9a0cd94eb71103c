using EventBus.Transports;

namespace EventBus;

/// <summary>The loop that brings entries to a receiver, until its intake stops. Outages and vanished groups do not end it.</summary>
internal abstract class RedisReadLoop(RedisReceiver receiver, RedisConsumer member)
{
    private readonly string activity = $"reading for {member.Subscription.Name}";
    private volatile string? complaint;

    /// <summary>Why nothing comes at present; null when all is well.</summary>
    public string? Complaint => complaint;

    protected RedisReceiver Receiver => receiver;

    protected RedisConsumer Member => member;

    /// <param name="live">The group is there. Otherwise it is created as soon as Redis answers, and begins at what comes then.</param>
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
                    await member.Place.CreateAsync(mending: false, stop);
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

                // An application that knows no event waits for the first stream to appear.
                await (member.Group.Streams.Count > 0 ? PassAsync(stop) : Task.Delay(RedisConnector.Block, member.Names.Time, stop));
                failures = 0;
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // Whatever it is: the connection was closed under it by this side.
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

    /// <summary>A delivery was released.</summary>
    public abstract ValueTask ReleaseAsync(UnackedEntry entry);

    /// <summary>A delivery is about to be acknowledged.</summary>
    public virtual void Settling()
    {
    }

    /// <summary>Entries are another's, or gone.</summary>
    public abstract void Lose(IEnumerable<UnackedEntry> entries);

    /// <summary>Goes on after a failure: a reply that was lost with its connection left entries pending that nobody here has seen.</summary>
    protected abstract Task ResumeAsync(CancellationToken stop);

    protected abstract Task PassAsync(CancellationToken stop);

    /// <summary>The groups were made again: what was handed out is owned by nobody.</summary>
    protected virtual void Mended()
    {
    }

    private async Task RecoverAsync(Exception exception, int failures, CancellationToken stop)
    {
        try
        {
            var isMended = false;
            if (RedisErrors.IsGone(exception))
            {
                await member.Place.CreateAsync(mending: true, stop);
                Mended();
                isMended = true;
            }
            else if (RedisErrors.IsOfKey(exception))
            {
                isMended = await member.Connector.AnswerAsync(member.Place.LeaveOutStrayKeysAsync(), stop);
            }

            // What does not last is no cure: then it waits like any other failure.
            if (isMended && failures == 1)
            {
                return;
            }
        }
        catch (Exception)
        {
            // Whatever it is: the loop comes back to it, or ends.
        }

        await Task.Delay(RedisBackoff.After(failures), member.Names.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
