using System.Numerics;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the records of a partition in the order of their receipt, from the first one that is not done. Each record
/// keeps its own offset, because offsets have gaps. Not thread-safe.
/// </summary>
internal sealed class OffsetRing
{
    private const int SmallestCapacity = 16;

    // An empty ring that has grown beyond this is replaced by a small one.
    private const int KeptCapacity = 1_024;

    private RecordSlot[] slots = new RecordSlot[SmallestCapacity];

    /// <summary>
    /// The number of the first record that is not done. Records are numbered from 0 as they are received.
    /// </summary>
    public long Head { get; private set; }

    /// <summary>The number that the next record gets.</summary>
    public long Tail { get; private set; }

    /// <summary>The number of records from the first that is not done.</summary>
    public int Count => (int)(Tail - Head);

    /// <summary>
    /// The position behind the records that are done without a gap; null if the first one is not done.
    /// </summary>
    public RecordPosition? Watermark { get; private set; }

    /// <summary>Gets a record that is held.</summary>
    /// <param name="number">The number of the record.</param>
    public ref RecordSlot this[long number] => ref slots[(int)(number & (slots.Length - 1))];

    /// <summary>Returns true if a record is held.</summary>
    /// <param name="number">The number of the record.</param>
    public bool Contains(long number) => number >= Head && number < Tail;

    /// <summary>Adds a record, which waits.</summary>
    /// <param name="offset">Its offset.</param>
    /// <param name="leaderEpoch">The epoch of its leader; null if it is unknown.</param>
    /// <param name="envelope">The event; null if the record is not for this subscription.</param>
    /// <returns>The number of the record.</returns>
    public long Add(long offset, int? leaderEpoch, Envelope? envelope)
    {
        if (Count == slots.Length)
        {
            Resize(slots.Length * 2);
        }

        this[Tail] = new RecordSlot { Offset = offset, LeaderEpoch = leaderEpoch, Envelope = envelope };
        return Tail++;
    }

    /// <summary>Marks a record as done.</summary>
    /// <param name="number">The number of the record, which is held.</param>
    /// <returns>True if the watermark has moved.</returns>
    public bool Complete(long number)
    {
        ref var slot = ref this[number];
        slot.State = SlotState.Done;
        slot.Envelope = null;
        if (number != Head)
        {
            return false;
        }

        while (Head < Tail && this[Head].State == SlotState.Done)
        {
            ref var done = ref this[Head];
            Watermark = new RecordPosition(done.Offset + 1, done.LeaderEpoch);
            Head++;
        }

        if (Count == 0 && slots.Length > KeptCapacity)
        {
            slots = new RecordSlot[SmallestCapacity];
        }

        return true;
    }

    private void Resize(int capacity)
    {
        var larger = new RecordSlot[(int)BitOperations.RoundUpToPowerOf2((uint)capacity)];
        for (var number = Head; number < Tail; number++)
        {
            larger[(int)(number & (larger.Length - 1))] = this[number];
        }

        slots = larger;
    }
}
