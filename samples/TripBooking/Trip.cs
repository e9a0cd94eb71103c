namespace TripBooking;

/// <summary>The state of the saga, stored as JSON after each step.</summary>
public sealed record Trip(string Traveller, decimal Price)
{
    public string? Flight { get; init; }

    public string? Room { get; init; }

    public string? Receipt { get; init; }

    public bool IsConfirmed { get; init; }
}
