using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Decides which failures of repeated operations are logged: the first failure of each cause of an activity in full,
/// one entry at the end of its outage, and one summary per minute for all activities. Thread-safe.
/// </summary>
internal sealed class Outage(TimeProvider time)
{
    // The maximum number of full entries per minute, over all activities.
    private const int MaxFullEntries = 10;
    private const int MaxErrorLength = 300;

    private static readonly TimeSpan SummaryPeriod = TimeSpan.FromMinutes(1);

    // If an activity has not failed for this time, its outage counts as over, even without a success: the activity may
    // have been given up.
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, ActivityState> activities = new(StringComparer.Ordinal);
    private volatile bool isOver = true;
    private int failingCount;
    private int fullEntries;
    private long fullEntriesSince = time.GetTimestamp();
    private long removedAt = time.GetTimestamp();
    private long loggedAt;
    private long unlogged;

    /// <summary>True if no activity fails.</summary>
    public bool IsOver => isOver;

    /// <summary>Records a failure, and logs the summary if it is due.</summary>
    /// <returns>True if the failure is to be logged in full.</returns>
    public bool IsNew(ILogger log, string activity, Exception exception)
    {
        long count;
        DateTimeOffset since;
        lock (gate)
        {
            var state = Begin(activity);
            if (state.Causes.Add(exception.GetType()) && MayLogInFull())
            {
                state.IsLoggedInFull = true;
                loggedAt = unlogged == 0 ? time.GetTimestamp() : loggedAt;
                return true;
            }

            unlogged++;
            if (time.GetElapsedTime(loggedAt) < SummaryPeriod)
            {
                return false;
            }

            (count, unlogged, loggedAt) = (unlogged, 0, time.GetTimestamp());
            since = activities.Values.Where(each => each.EndedAt is null).Min(each => each.Since);
        }

        log.StillFailing(count, since, activity, exception.GetType(), MessageOf(exception));
        return false;
    }

    public void End(ILogger log, string activity)
    {
        TimeSpan lasted;
        long count;
        lock (gate)
        {
            if (!activities.TryGetValue(activity, out var state) || state.EndedAt is not null)
            {
                return;
            }

            state.EndedAt = time.GetTimestamp();
            isOver = --failingCount == 0;
            unlogged = isOver ? 0 : unlogged;

            // The end is logged only if the failure was logged in full, and if no end was logged within the last
            // minute.
            if (!state.IsLoggedInFull || (state.EndLoggedAt is { } last && time.GetElapsedTime(last) < SummaryPeriod))
            {
                return;
            }

            state.EndLoggedAt = state.EndedAt;
            (lasted, count) = (time.GetElapsedTime(state.StartedAt), state.Failures);
        }

        log.OutageOver(count, lasted, activity);
    }

    private static string MessageOf(Exception exception)
    {
        var text = ExceptionText.MessageOf(exception);
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        return PrintableText.Start(end >= 0 ? text[..end] : text, MaxErrorLength);
    }

    private ActivityState Begin(string name)
    {
        if (!activities.TryGetValue(name, out var state) || IsForgotten(state))
        {
            var isCounted = state is { EndedAt: null };
            if (!isCounted)
            {
                failingCount++;
            }

            RemoveEnded();
            state = new ActivityState { Since = time.GetUtcNow(), StartedAt = time.GetTimestamp() };
            activities[name] = state;
        }
        else if (state.EndedAt is not null)
        {
            // The failure belongs to the previous outage, which ended less than a minute ago.
            failingCount++;
            state.EndedAt = null;
        }

        isOver = false;
        state.FailedAt = time.GetTimestamp();
        state.Failures++;
        return state;
    }

    /// <summary>
    /// Returns true if the next failure of an activity begins a new outage: the last outage ended at least a minute
    /// ago, or the activity has not failed for ten minutes.
    /// </summary>
    private bool IsForgotten(ActivityState state) =>
        state.EndedAt is { } end ? time.GetElapsedTime(end) >= SummaryPeriod : time.GetElapsedTime(state.FailedAt) >= ForgottenAfter;

    /// <summary>
    /// Removes the activities whose outage is over. Does nothing if it did so within the last minute.
    /// </summary>
    private void RemoveEnded()
    {
        if (time.GetElapsedTime(removedAt) < SummaryPeriod)
        {
            return;
        }

        removedAt = time.GetTimestamp();
        foreach (var (name, state) in activities.Where(each => IsForgotten(each.Value)).ToList())
        {
            activities.Remove(name);
            if (state.EndedAt is null)
            {
                failingCount--;
            }
        }
    }

    private bool MayLogInFull()
    {
        if (time.GetElapsedTime(fullEntriesSince) >= SummaryPeriod)
        {
            (fullEntries, fullEntriesSince) = (0, time.GetTimestamp());
        }

        fullEntries++;
        return fullEntries <= MaxFullEntries;
    }

    /// <summary>The state of a repeated operation that fails or failed recently.</summary>
    private sealed class ActivityState
    {
        public required DateTimeOffset Since { get; init; }

        public required long StartedAt { get; init; }

        /// <summary>The types of its exceptions.</summary>
        public HashSet<Type> Causes { get; } = [];

        /// <summary>True if at least one cause was logged in full.</summary>
        public bool IsLoggedInFull { get; set; }

        public long Failures { get; set; }

        public long FailedAt { get; set; }

        /// <summary>The time at which it succeeded again; null while it fails.</summary>
        public long? EndedAt { get; set; }

        public long? EndLoggedAt { get; set; }
    }
}
