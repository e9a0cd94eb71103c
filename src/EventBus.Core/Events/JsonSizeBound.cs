namespace EventBus;

/// <summary>Computes the upper bound of a member as JSON, in bytes.</summary>
/// <param name="value">The member.</param>
/// <param name="readsTexts">False to use only the lengths of texts: a higher bound, without reading them.</param>
internal delegate long JsonSizeBound(object value, bool readsTexts);
