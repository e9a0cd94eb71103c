using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Decides which failures of repeated operations are logged: the first failure of each cause of an activity in full,
/// one entry at the end of its outage, and one summary per minute for all activities. Thread-safe.
/// </summary>
internal sealed class Outage(TimeProvider time)
{
    // The maximum number of full entries per minute, over all activities.
    private const int MaxInFull = 10;
    private const int MaxErrorLength = 300;

    private static readonly TimeSpan SummaryPeriod = TimeSpan.FromMinutes(1);

    // If an activity has not failed for this time, its outage counts as over, even without a success: the activity may
    // have been given up.
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Activity> activities = new(StringComparer.Ordinal);
    private volatile bool isOver = true;
    private int failing;
    private int inFull;
    private long inFullSince = time.GetTimestamp();
    private long tidiedAt = time.GetTimestamp();
    private long spokeAt;
    private long unsaid;

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
            if (state.Causes.Add(exception.GetType()) && MayBeInFull())
            {
                state.IsInFull = true;
                spokeAt = unsaid == 0 ? time.GetTimestamp() : spokeAt;
                return true;
            }

            unsaid++;
            if (time.GetElapsedTime(spokeAt) < SummaryPeriod)
            {
                return false;
            }

            (count, unsaid, spokeAt) = (unsaid, 0, time.GetTimestamp());
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
            isOver = --failing == 0;
            unsaid = isOver ? 0 : unsaid;

            // The end is logged only if the failure was logged in full, and if no end was logged within the last
            // minute.
            if (!state.IsInFull || (state.SaidOverAt is { } last && time.GetElapsedTime(last) < SummaryPeriod))
            {
                return;
            }

            state.SaidOverAt = state.EndedAt;
            (lasted, count) = (time.GetElapsedTime(state.StartedAt), state.Failures);
        }

        log.OutageOver(count, lasted, activity);
    }

    private static string MessageOf(Exception exception)
    {
        var text = ExceptionText.MessageOf(exception);
        return PrintableText.Start(text.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? text[..end] : text, MaxErrorLength);
    }

    private Activity Begin(string name)
    {
        if (!activities.TryGetValue(name, out var state) || IsForgotten(state))
        {
            failing += state is { EndedAt: null } ? 0 : 1;
            Tidy();
            activities[name] = state = new Activity { Since = time.GetUtcNow(), StartedAt = time.GetTimestamp() };
        }
        else if (state.EndedAt is not null)
        {
            // The failure belongs to the previous outage, which ended less than a minute ago.
            failing++;
            state.EndedAt = null;
        }

        isOver = false;
        state.FailedAt = time.GetTimestamp();
        state.Failures++;
        return state;
    }

    private bool IsForgotten(Activity state) =>
        state.EndedAt is { } end ? time.GetElapsedTime(end) >= SummaryPeriod : time.GetElapsedTime(state.FailedAt) >= Memory;

    /// <summary>
    /// Removes the activities whose outage is over. Does nothing if it did so within the last minute.
    /// </summary>
    private void Tidy()
    {
        if (time.GetElapsedTime(tidiedAt) < SummaryPeriod)
        {
            return;
        }

        tidiedAt = time.GetTimestamp();
        foreach (var (name, state) in activities.Where(each => IsForgotten(each.Value)).ToList())
        {
            activities.Remove(name);
            failing -= state.EndedAt is null ? 1 : 0;
        }
    }

    private bool MayBeInFull()
    {
        if (time.GetElapsedTime(inFullSince) >= SummaryPeriod)
        {
            (inFull, inFullSince) = (0, time.GetTimestamp());
        }

        return ++inFull <= MaxInFull;
    }

    /// <summary>The state of a repeated operation that fails or failed recently.</summary>
    private sealed class Activity
    {
        public required DateTimeOffset Since { get; init; }

        public required long StartedAt { get; init; }

        /// <summary>The types of its exceptions.</summary>
        public HashSet<Type> Causes { get; } = [];

        /// <summary>True if at least one cause was logged in full.</summary>
        public bool IsInFull { get; set; }

        public long Failures { get; set; }

        public long FailedAt { get; set; }

        /// <summary>The time at which it succeeded again; null while it fails.</summary>
        public long? EndedAt { get; set; }

        public long? SaidOverAt { get; set; }
    }
}
