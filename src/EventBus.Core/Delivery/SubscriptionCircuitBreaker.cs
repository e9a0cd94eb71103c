using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Pauses a subscription when everything that it starts fails, and lets one event at a time through until one succeeds. Thread-safe.</summary>
/// <remarks>
/// Open until enough starts in a row have failed in a short time; then paused until the next probe is due; then ready, when nothing was there to probe with at once; then probing. A success
/// opens it from anywhere. What says nothing about the service behind the handler (an unreadable message, a permanent failure) counts neither way.
/// </remarks>
internal sealed class SubscriptionCircuitBreaker(string subscription, CircuitBreakerSettings rule, RetryPolicy retry, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan LongestFirstDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(5);

    // After a probe that said nothing.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly long[] failedAt = new long[rule.Count];
    private long inARow;
    private volatile State state;
    private volatile bool stopping;
    private DateTimeOffset? openedAt;
    private TimeSpan probeAt;
    private TimeSpan delay;
    private long lastProbe;
    private bool probeFailed;
    private TaskCompletionSource mayEnter = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private enum State
    {
        Open,
        Paused,
        Ready,
        Probing,
    }

    /// <summary>Called when it was opened, or when the time of the next probe has changed.</summary>
    public Action? Changed { get; set; }

    public bool IsPaused => state != State.Open;

    /// <summary>A delivery may be started, or one may, as the probe.</summary>
    public bool MayEnter => state is State.Open or State.Ready;

    /// <summary>The bus stops, and the pause is not going to end: what was taken and not begun goes back.</summary>
    public bool IsOver => stopping && IsPaused;

    /// <summary>The last probe was a retry, so that a new delivery is next: a retry that can never succeed holds up nobody.</summary>
    public bool WantsDelivery { get; private set; }

    /// <summary>When to probe; null when there is nothing to wait for.</summary>
    public DateTimeOffset? ProbeAt
    {
        get
        {
            lock (gate)
            {
                return state == State.Paused && !stopping ? time.GetUtcNow() + (probeAt - Elapsed) : null;
            }
        }
    }

    /// <summary>Since when events have been flowing; now, while they do not.</summary>
    /// <param name="start">When the subscription began.</param>
    public DateTimeOffset OpenSince(DateTimeOffset start)
    {
        lock (gate)
        {
            return state != State.Open ? time.GetUtcNow() : openedAt ?? start;
        }
    }

    /// <summary>Weighs a failed start, and returns it: one during the pause is marked as not counted.</summary>
    public Failure Weigh(Failure failure) =>
        failure is Threw threw && !retry.IsPermanent(threw.Exception) && Failed() ? threw with { Counts = false } : failure;

    /// <summary>A handler has succeeded: the pause is over, and counting begins anew.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref inARow) == 0 && state == State.Open)
        {
            return;
        }

        lock (gate)
        {
            inARow = 0;
            if (state == State.Open || stopping)
            {
                return;
            }

            (state, openedAt) = (State.Open, time.GetUtcNow());
            Admit();
        }

        log.Resumed(subscription);
        Changed?.Invoke();
    }

    /// <summary>Completes when it may be worth trying to enter.</summary>
    public Task WhenMayEnterAsync()
    {
        lock (gate)
        {
            return MayEnter || stopping ? Task.CompletedTask : mayEnter.Task;
        }
    }

    /// <summary>Asks for leave to start a delivery.</summary>
    /// <param name="probe">The number of the probe that it is, to be ended or withdrawn; 0 for none.</param>
    public bool TryEnter(out long probe)
    {
        probe = 0;
        if (state == State.Open)
        {
            return true;
        }

        lock (gate)
        {
            if (state == State.Ready && !stopping)
            {
                WantsDelivery = false;
                probe = Begin();
            }

            return probe != 0 || state == State.Open;
        }
    }

    /// <summary>Asks for leave to probe with a retry: when a probe is due, or was due and found nothing.</summary>
    public bool TryBeginProbe(out long probe)
    {
        lock (gate)
        {
            var isDue = state == State.Ready || (state == State.Paused && Elapsed >= probeAt);
            probe = isDue && !stopping ? Begin() : 0;
            WantsDelivery |= probe != 0;
            return probe != 0;
        }
    }

    /// <summary>There was nothing to probe with: whatever comes next is the probe.</summary>
    public void Withdraw(long probe)
    {
        lock (gate)
        {
            if (IsCurrent(probe))
            {
                state = State.Ready;
                Admit();
            }
        }
    }

    /// <summary>A probe has ended. If it succeeded, this is open by now.</summary>
    public void EndProbe(long probe)
    {
        lock (gate)
        {
            if (!IsCurrent(probe))
            {
                return;
            }

            state = State.Paused;
            delay = probeFailed ? Shorter(delay * 2, LongestDelay) : delay;
            probeAt = Elapsed + (probeFailed ? delay : Soon);
        }

        Changed?.Invoke();
    }

    /// <summary>The bus stops: there are no more pauses and no more probes.</summary>
    /// <param name="letThrough">What is queued is nowhere else: it is let through, as if there were no pause.</param>
    public void Stop(bool letThrough)
    {
        lock (gate)
        {
            stopping = true;
            state = letThrough ? State.Open : state;
            Admit();
        }

        Changed?.Invoke();
    }

    /// <returns>Whether it was paused already.</returns>
    private bool Failed()
    {
        lock (gate)
        {
            if (state != State.Open || stopping)
            {
                probeFailed = true;
                return state != State.Open;
            }

            // The slot of the newest failure is that of the one which is `count` failures older.
            var now = time.GetTimestamp();
            failedAt[inARow++ % failedAt.Length] = now;
            if (inARow < failedAt.Length || time.GetElapsedTime(failedAt[inARow % failedAt.Length], now) > rule.Time)
            {
                return false;
            }

            state = State.Paused;
            mayEnter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            delay = Shorter(rule.Time, LongestFirstDelay);
            probeAt = Elapsed + delay;
            WantsDelivery = false;
        }

        log.Paused(subscription, rule.Count, rule.Time, time.GetUtcNow() + delay);
        Changed?.Invoke();
        return false;
    }

    /// <summary>The time that only counts: probes are due by it, whatever becomes of the wall clock.</summary>
    private TimeSpan Elapsed => time.GetElapsedTime(0);

    private long Begin()
    {
        state = State.Probing;
        probeFailed = false;
        if (mayEnter.Task.IsCompleted)
        {
            mayEnter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return ++lastProbe;
    }

    private void Admit() => mayEnter.TrySetResult();

    private bool IsCurrent(long probe) => state == State.Probing && probe == lastProbe;

    private static TimeSpan Shorter(TimeSpan first, TimeSpan second) => first < second ? first : second;
}
