namespace EventBus;

[EventName("contact.imported", Version = 2)]
public sealed record ContactMoved(int Number);
