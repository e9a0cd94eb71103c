namespace EventBus.Proof;

/// <summary>The state of the sagas under proof.</summary>
internal record Parcel(long Number)
{
    /// <summary>The step that publishes a question and waits for its answer.</summary>
    public const string Ask = "ask";

    public static List<string> Steps { get; } = ["pick", "pack", Ask, "pay", "ship"];

    public List<string> Done { get; init; } = [];
}
