namespace EventBus.Proof;

/// <summary>The state of the tested sagas.</summary>
internal record Parcel(long Number)
{
    /// <summary>The name of the step that publishes a question and waits for its reply.</summary>
    public const string Ask = "ask";

    public static List<string> Steps { get; } = ["pick", "pack", Ask, "pay", "ship"];

    public List<string> Done { get; init; } = [];
}
