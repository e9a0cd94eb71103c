using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>Records the published messages and their outcomes by number. Thread-safe.</summary>
internal sealed class FuzzLedger(int messages)
{
    private readonly Lock gate = new();
    private readonly Dictionary<long, long> tickSentAt = [];
    private readonly Dictionary<long, List<long>> idSharers = [];
    private long heardAt = Stopwatch.GetTimestamp();
    private long handledInAll;
    private long deadInAll;

    public int Messages => messages;

    /// <summary>The number of times that a message was sent to the broker, copies included.</summary>
    public int[] Published { get; } = new int[messages];

    /// <summary>The number of times that each message was handled.</summary>
    public int[] Handled { get; } = new int[messages];

    /// <summary>The number of dead letters of each message.</summary>
    public int[] Dead { get; } = new int[messages];

    /// <summary>The number of handled follow-up events of each message.</summary>
    public int[] FollowedUp { get; } = new int[messages];

    public Dictionary<FuzzKind, int> Kinds { get; } = [];

    /// <summary>The number of dead letters of each reason.</summary>
    public Dictionary<DeadLetterReason, int> Reasons { get; } = [];

    /// <summary>The number of dead letters whose envelope was read, so that the first check was passed.</summary>
    public int ReadAndDead { get; private set; }

    /// <summary>The number of messages that the broker refused.</summary>
    public int Refused { get; private set; }

    /// <summary>The handled events and dead letters without a message number.</summary>
    public List<string> Unknown { get; } = [];

    public int Ticks { get; private set; }

    public bool HasTicked { get; private set; }

    public TimeSpan LongestWait { get; private set; }

    public int TicksMissing
    {
        get
        {
            lock (gate)
            {
                return tickSentAt.Count;
            }
        }
    }

    /// <summary>The number of messages that were sent and have not been handled or dead-lettered yet.</summary>
    public int Open { get; private set; }

    /// <summary>The time since the last message was handled or dead-lettered.</summary>
    public TimeSpan Silence => Stopwatch.GetElapsedTime(Interlocked.Read(ref heardAt));

    public static bool Fails(long number) => number % 16 == 5;

    public static bool FailsOnce(long number) => number % 16 == 9;

    public static bool HasFollowUp(long number) => number >= 0 && number % 8 == 0;

    public void Sent(FuzzMessage message, FuzzKind kind)
    {
        lock (gate)
        {
            Kinds[kind] = Kinds.GetValueOrDefault(kind) + 1;
            if (message.TwinOf != FuzzMark.None)
            {
                ShareId(message.Number, message.TwinOf);
            }

            Open += Published[message.Number]++ == 0 ? 1 : 0;
        }
    }

    /// <summary>Records that the broker refused a message, so that no result is expected.</summary>
    public void Refuse(FuzzMessage message)
    {
        lock (gate)
        {
            Refused++;
            Open -= --Published[message.Number] == 0 && !WasSeen(message.Number) ? 1 : 0;
        }
    }

    public void TickSent(long number)
    {
        lock (gate)
        {
            Ticks++;
            tickSentAt.Add(number, Stopwatch.GetTimestamp());
        }
    }

    /// <summary>Records an entry of a process.</summary>
    public void Take(Entry entry)
    {
        lock (gate)
        {
            switch (entry.Kind)
            {
                case Kind.End when IsKnown(entry.A):
                    See(entry.A);
                    Handled[entry.A]++;
                    handledInAll++;
                    break;
                case Kind.End:
                    Unknown.Add("a handled event");
                    break;
                case Kind.FollowUp when IsKnown(entry.A):
                    FollowedUp[entry.A]++;
                    break;
                case Kind.Tick when tickSentAt.Remove(entry.A, out var sentAt):
                    // Ticks before the first message only warm the process up.
                    var wait = MessagesBegun ? Stopwatch.GetElapsedTime(sentAt, entry.At) : TimeSpan.Zero;
                    LongestWait = wait > LongestWait ? wait : LongestWait;
                    HasTicked = true;
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Records a dead letter.</summary>
    public void AddDeadLetter(long number, DeadLetterReason reason, string? error)
    {
        lock (gate)
        {
            Reasons[reason] = Reasons.GetValueOrDefault(reason) + 1;
            if (!IsKnown(number))
            {
                Unknown.Add($"a dead letter ({reason}: {error})");
                return;
            }

            ReadAndDead += reason is DeadLetterReason.HandlerFailed or DeadLetterReason.UnknownEvent
                || error?.StartsWith("The body cannot be read", StringComparison.Ordinal) == true ? 1 : 0;
            See(number);
            Dead[number]++;
            deadInAll++;
        }
    }

    /// <summary>
    /// Returns the messages without a result. The second of two messages with one id may share the dead letter of the
    /// first, and copies share theirs.
    /// </summary>
    public IEnumerable<long> Lost() =>
        Numbers().Where(number => Published[number] > 0 && Handled[number] + Dead[number] == 0 && !SharesADeadLetter(number));

    /// <summary>
    /// Returns true if the message arrived while another message with its id was a dead letter or waited for a retry.
    /// </summary>
    public bool SharesADeadLetter(long number) =>
        Published[number] > 0
            && Handled[number] + Dead[number] == 0
            && idSharers.TryGetValue(number, out var others)
            && others.Exists(other => Dead[other] > 0 || (other != number && Handled[other] > 0 && FailsOnce(other)));

    public IEnumerable<long> Numbers() => Enumerable.Range(0, messages).Select(number => (long)number);

    /// <summary>The fraction of the messages that were handled or at least read.</summary>
    public double ReadShare => (double)(handledInAll + ReadAndDead) / Math.Max(1, handledInAll + deadInAll);

    /// <summary>Puts all messages of one id into one list.</summary>
    private void ShareId(long number, long owner)
    {
        if (!idSharers.TryGetValue(owner, out var all))
        {
            idSharers.Add(owner, all = [owner]);
        }

        // A twin whose own id is also used by later messages belongs to both lists.
        if (idSharers.TryGetValue(number, out var others))
        {
            all.AddRange(others);
            others.ForEach(other => idSharers[other] = all);
        }

        all.Add(number);
        idSharers[number] = all;
    }

    private void See(long number)
    {
        Open -= WasSeen(number) ? 0 : 1;
        Interlocked.Exchange(ref heardAt, Stopwatch.GetTimestamp());
    }

    private bool MessagesBegun => Kinds.Count > 0;

    private bool WasSeen(long number) => Handled[number] + Dead[number] > 0;

    private bool IsKnown(long number) => number >= 0 && number < messages && Published[number] > 0;
}
