namespace EventBus;

/// <summary>The state of a record that is held.</summary>
internal enum SlotState : byte
{
    /// <summary>The record is in memory, and its delivery is not offered to the bus.</summary>
    Waiting,

    /// <summary>Its delivery is offered, and the bus has not taken it.</summary>
    Queued,

    /// <summary>The bus has taken its delivery, and has not settled it.</summary>
    Taken,

    /// <summary>The record is acknowledged, or not for this subscription.</summary>
    Done,
}
