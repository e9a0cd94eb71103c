using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>Observes which signals were handled, and when.</summary>
internal sealed class SignalWatch(Stage stage, SignalSource source)
{
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    private readonly Dictionary<long, long> heard = [];
    private int read;

    /// <summary>Returns true if each accepted signal has been handled.</summary>
    /// <param name="except">The signals that need not be handled.</param>
    public bool AllHandled(IReadOnlySet<long> except)
    {
        Listen();
        return source.Accepted().All(number => except.Contains(number) || heard.ContainsKey(number));
    }

    /// <summary>Sends new signals until one of them is handled.</summary>
    /// <param name="since">The start of the measured time, on the clock of the journals.</param>
    /// <returns>
    /// The time until a signal was handled, null if none was for half a minute; and the numbers of the sent signals.
    /// </returns>
    public async Task<(TimeSpan? Recovery, IReadOnlySet<long> Sent)> RecoveryAsync(long since)
    {
        var (sent, sending) = (new HashSet<long>(), new List<Task>());
        var recovery = await FirstHeardAsync();
        await Task.WhenAll(sending);
        return (recovery, sent);

        async Task<TimeSpan?> FirstHeardAsync()
        {
            using var timer = new PeriodicTimer(ProbeInterval);
            while (Stopwatch.GetElapsedTime(since) < Silence)
            {
                sending.Add(source.SendAsync(out var number));
                sent.Add(number);
                await timer.WaitForNextTickAsync();
                Listen();
                if (sent.Where(heard.ContainsKey).Select(each => heard[each]).Order().FirstOrDefault() is > 0 and var at)
                {
                    return Stopwatch.GetElapsedTime(since, at);
                }
            }

            return null;
        }
    }

    private void Listen()
    {
        stage.Journals.Poll();
        var entries = stage.Journals.Entries;
        for (; read < entries.Count; read++)
        {
            if (entries[read].Kind == Kind.End)
            {
                heard.TryAdd(entries[read].A, entries[read].At);
            }
        }
    }
}
