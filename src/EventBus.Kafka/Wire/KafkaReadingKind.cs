namespace EventBus;

/// <summary>The kind of a record.</summary>
internal enum KafkaReadingKind
{
    /// <summary>An event, possibly with a defect.</summary>
    Event,

    /// <summary>A record without an event name. Its envelope has a defect.</summary>
    Nameless,

    /// <summary>
    /// A record without an event name and without a value, which deletes its key in a compacted topic.
    /// </summary>
    Tombstone,
}
