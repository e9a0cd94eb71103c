namespace EventBus;

public enum ParcelSize
{
    Small,
    Large,
}
