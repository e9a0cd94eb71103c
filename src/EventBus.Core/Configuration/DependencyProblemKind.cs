namespace EventBus;

/// <summary>Says why the container cannot create a type, or must not.</summary>
internal enum DependencyProblemKind
{
    /// <summary>A parameter of its constructor is not registered.</summary>
    Missing,

    /// <summary>No constructor of the type is public.</summary>
    NoConstructor,

    /// <summary>The type is created once for the whole process, and a parameter of its constructor is scoped.</summary>
    ScopedInSingleton,
}
