namespace TripBooking;

/// <summary>Shows moments at once, with the time since the beginning of the scene. Thread-safe.</summary>
public sealed class Timeline(TimeProvider time, Action<Moment> show)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly List<Moment> moments = [];
    private readonly Lock gate = new();
    private long zero = time.GetTimestamp();

    /// <summary>Begins a scene.</summary>
    public void Begin()
    {
        lock (gate)
        {
            moments.Clear();
            zero = time.GetTimestamp();
        }
    }

    /// <summary>Adds a moment and shows it.</summary>
    /// <param name="who">The service or process.</param>
    /// <param name="what">The description.</param>
    /// <param name="key">The idempotency key of the request, if any.</param>
    public void Add(string who, string what, string? key = null)
    {
        lock (gate)
        {
            moments.Add(new Moment(time.GetElapsedTime(zero), who, what, key));
            show(moments[^1]);
        }
    }

    /// <summary>Returns the descriptions of the moments of a service or process in this scene.</summary>
    public IReadOnlyList<string> Of(string who)
    {
        lock (gate)
        {
            return [.. moments.Where(moment => moment.Who == who).Select(moment => moment.What)];
        }
    }

    /// <summary>Waits for a number of moments of a service or process in this scene.</summary>
    /// <exception cref="TimeoutException">There were fewer within 20 s.</exception>
    public async Task UntilAsync(string who, int count, CancellationToken cancellationToken)
    {
        for (var begun = time.GetTimestamp(); Of(who).Count < count;)
        {
            if (time.GetElapsedTime(begun) > Limit)
            {
                throw new TimeoutException($"there were {Of(who).Count} of {count} moments of '{who}' within {Limit.TotalSeconds} s.");
            }

            await Task.Delay(Look, time, cancellationToken);
        }
    }
}

/// <summary>One line of the timeline.</summary>
public sealed record Moment(TimeSpan At, string Who, string What, string? Key);
