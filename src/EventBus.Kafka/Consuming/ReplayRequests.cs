using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Passes the call of an operator for a replay to the loop that runs the consumers: it ends the session of the present
/// consumer, and the loop moves the positions before it begins the next one. Thread-safe.
/// </summary>
/// <param name="context">What the receiver is for.</param>
internal sealed class ReplayRequests(ReceiverContext context)
{
    private readonly Lock gate = new();
    private Request? pending;
    private CancellationTokenSource? session;
    private bool isStopped;

    /// <summary>Requests a replay, and waits for its number.</summary>
    /// <param name="start">Where the replay begins.</param>
    /// <param name="wake">Wakes the session, which has been asked to end.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">Nothing was moved, or there was no answer in time.</exception>
    public async Task<long> RequestAsync(ReplayStart start, Action wake, CancellationToken cancellationToken)
    {
        var request = new Request(start);
        Add(request);
        wake();

        // The wait for the handlers that run, and the calls to the cluster, each with its own timeout.
        var limit = context.RevocationTimeout + (6 * context.Options.CallTimeout);
        try
        {
            return await request.Number.Task.WaitAsync(limit, context.Time, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw new EventBusException(
                $"The replay of '{context.Name}' was not started within {limit}. It may still begin; the log says whether it has.",
                exception);
        }
        finally
        {
            lock (gate)
            {
                if (pending == request && !request.IsRunning)
                {
                    pending = null;
                }
            }
        }
    }

    /// <summary>Ends the call that waits, because the subscription stops.</summary>
    public void Stop()
    {
        lock (gate)
        {
            isStopped = true;
            if (pending is { } request)
            {
                request.Number.TrySetException(Stopped());
                _ = request.Number.Task.Observed();
            }
        }
    }

    /// <summary>Begins a session. Its token is cancelled when a replay is requested, or with the given one.</summary>
    public CancellationTokenSource BeginSession(CancellationToken stop)
    {
        var linked = CancellationTokenSource.CreateLinkedTokenSource(stop);
        lock (gate)
        {
            session = linked;
            if (pending is not null)
            {
                linked.Cancel();
            }
        }

        return linked;
    }

    /// <summary>Ends the session.</summary>
    public void EndSession()
    {
        lock (gate)
        {
            session = null;
        }
    }

    /// <summary>Carries out the request that waits, if there is one. Its failure is that of the call only.</summary>
    /// <param name="move">Moves the positions, and returns the number of the replay.</param>
    public async Task RunPendingAsync(Func<ReplayStart, Task<long>> move)
    {
        Request request;
        lock (gate)
        {
            if (pending is null)
            {
                return;
            }

            request = pending;
            request.IsRunning = true;
        }

        try
        {
            var number = await move(request.Start);
            context.Log.ReplayBegun(context.Name, number, request.Start);
            request.Number.TrySetResult(number);
        }
        catch (Exception exception)
        {
            request.Number.TrySetException(context.IsStopping ? Stopped() : exception);
            _ = request.Number.Task.Observed();
        }
        finally
        {
            lock (gate)
            {
                pending = null;
            }
        }
    }

    private EventBusException Stopped() =>
        new($"The subscription '{context.Name}' stops on this instance, so it is not known whether the replay has begun.");

    private void Add(Request request)
    {
        lock (gate)
        {
            if (isStopped)
            {
                throw Stopped();
            }

            if (pending is not null)
            {
                throw new EventBusException($"Another replay of '{context.Name}' is being started on this instance. Try again.");
            }

            pending = request;
            session?.Cancel();
        }
    }

    private sealed class Request(ReplayStart start)
    {
        public ReplayStart Start => start;

        public bool IsRunning { get; set; }

        public TaskCompletionSource<long> Number { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
