namespace EventBus;

public sealed record HeightMeasured(int Height, DateTimeOffset? MeasuredAt);
