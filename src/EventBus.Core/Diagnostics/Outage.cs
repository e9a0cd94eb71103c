using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Decides which failures of activities are logged. An activity is an operation that is repeated until it succeeds; its
/// outage lasts from its first failure to its next success. The first failure with each exception type is logged in
/// full, the end of the outage in one entry, and all other failures in one summary per minute for all activities.
/// Thread-safe.
/// </summary>
internal sealed class Outage(TimeProvider time)
{
    private const int MaxErrorLength = 300;

    private static readonly TimeSpan SummaryPeriod = TimeSpan.FromMinutes(1);

    // If an activity has not failed for this time, its outage counts as over, even without a success: the activity may
    // have been given up.
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, FailingActivity> activities = new(StringComparer.Ordinal);
    private readonly FullEntryLimit fullEntries = new(time, SummaryPeriod);
    private volatile bool isOver = true;

    // The number of activities that fail at present.
    private int failingCount;

    // The number of failures that no entry reports yet, and the timestamp at which the summary period began.
    private long unlogged;
    private long summaryPeriodStartedAt;

    private long forgottenRemovedAt = time.GetTimestamp();

    /// <summary>True if no activity fails.</summary>
    public bool IsOver => isOver;

    /// <summary>Records a failure, and logs the summary if it is due.</summary>
    /// <returns>True if the caller must log the failure in full.</returns>
    public bool RecordFailure(ILogger log, string activity, Exception exception)
    {
        long count;
        DateTimeOffset since;
        lock (gate)
        {
            var state = CountFailure(activity);
            var isNewType = state.ExceptionTypes.Add(exception.GetType());
            if (isNewType && fullEntries.TryTake())
            {
                state.IsLoggedInFull = true;
                if (unlogged == 0)
                {
                    // The next summary comes a minute after this entry, unless failures wait for one already.
                    summaryPeriodStartedAt = time.GetTimestamp();
                }

                return true;
            }

            unlogged++;
            if (time.GetElapsedTime(summaryPeriodStartedAt) < SummaryPeriod)
            {
                return false;
            }

            count = unlogged;
            unlogged = 0;
            summaryPeriodStartedAt = time.GetTimestamp();
            since = activities.Values.Where(each => each.EndedAt is null).Min(each => each.StartTime);
        }

        log.StillFailing(since, count, activity, exception.GetType(), MessageOf(exception));
        return false;
    }

    /// <summary>Records a success, which ends the outage of the activity. Logs the end.</summary>
    public void End(ILogger log, string activity)
    {
        TimeSpan duration;
        long count;
        lock (gate)
        {
            if (!activities.TryGetValue(activity, out var state) || state.EndedAt is not null)
            {
                return;
            }

            state.EndedAt = time.GetTimestamp();
            failingCount--;
            isOver = failingCount == 0;
            if (isOver)
            {
                unlogged = 0;
            }

            // The end is logged only if the failure was logged in full, and if no end was logged within the last
            // minute.
            if (!state.IsLoggedInFull || (state.EndLoggedAt is { } last && time.GetElapsedTime(last) < SummaryPeriod))
            {
                return;
            }

            state.EndLoggedAt = state.EndedAt;
            duration = time.GetElapsedTime(state.StartedAt);
            count = state.Failures;
        }

        log.OutageOver(count, duration, activity);
    }

    private static string MessageOf(Exception exception) => PrintableText.Start(ExceptionText.MessageOf(exception), MaxErrorLength);

    /// <summary>Counts a failure of an activity, and returns the state of its outage.</summary>
    private FailingActivity CountFailure(string name)
    {
        RemoveForgotten();
        var state = activities.GetValueOrDefault(name);
        if (state is not { EndedAt: null })
        {
            failingCount++;
        }

        if (state is null || IsForgotten(state))
        {
            state = new FailingActivity { StartTime = time.GetUtcNow(), StartedAt = time.GetTimestamp() };
            activities[name] = state;
        }
        else
        {
            // The activity still fails, or succeeded less than a minute ago: the same outage continues.
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
    private bool IsForgotten(FailingActivity state) =>
        state.EndedAt is { } end ? time.GetElapsedTime(end) >= SummaryPeriod : time.GetElapsedTime(state.FailedAt) >= ForgottenAfter;

    /// <summary>Removes the activities whose next failure begins a new outage. Does so at most once a minute.</summary>
    private void RemoveForgotten()
    {
        if (time.GetElapsedTime(forgottenRemovedAt) < SummaryPeriod)
        {
            return;
        }

        forgottenRemovedAt = time.GetTimestamp();
        foreach (var (name, state) in activities.Where(each => IsForgotten(each.Value)).ToList())
        {
            activities.Remove(name);
            if (state.EndedAt is null)
            {
                failingCount--;
            }
        }
    }
}
